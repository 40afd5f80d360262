"""Makes nn.h and nn.bin: ten steps of PyTorch's optimizers on given gradients, and the rates of its schedulers.

PyTorch computes in float64 from numbers that are float32 (betas and rates included), so that its results are the true
ones and what differs is the rounding of the library under test. nn.bin is little-endian: the first weights and then
each step's gradients (float32), each case's weights after every step (float64), each schedule's rates (float64)."""
import pathlib

import numpy
import torch

SIZES = (8 * 5, 3)
STEPS = 10
TOTAL = 40


def f32(x):
    return float(numpy.float32(x))


# The options as rung_fit_options spells them; PyTorch's are derived from them.
CASES = [
    ("sgd", dict(rate=0.1)),
    ("sgd", dict(rate=0.1, weight_decay=0.05)),
    ("sgd", dict(rate=0.05, momentum=0.9)),
    ("sgd", dict(rate=0.05, momentum=0.8, nesterov=1, weight_decay=0.01)),
    ("sgd", dict(rate=0.1, momentum=0.5, clip_norm=5)),
    ("adam", dict(rate=0.01)),
    ("adam", dict(rate=0.02, momentum=0.7, beta2=0.9, epsilon=1e-3)),
    ("adam", dict(rate=0.01, weight_decay=0.1)),
    ("adam", dict(rate=0.01, epsilon=0.5, clip_norm=3)),
    ("adamw", dict(rate=0.01)),
    ("adamw", dict(rate=0.01, weight_decay=0.1)),
    ("adamw", dict(rate=0.02, momentum=0.6, beta2=0.95, weight_decay=0.3, clip_norm=4)),
    ("adam8bit", dict(rate=0.01, weight_decay=0.1)),
]

# kind, warm_up, period, factor, base rate
SCHEDULES = [
    ("COSINE", 0, 0, 0, 0.1),
    ("COSINE", 5, 0, 0, 0.003),
    ("CONSTANT", 0, 0, 0, 0.02),
    ("CONSTANT", 7, 0, 0, 0.02),
    ("STEP", 0, 0, 0, 0.1),
    ("STEP", 0, 6, 0.5, 0.1),
    ("STEP", 4, 9, 0.7, 0.01),
]


def optimizer_of(kind, options, parameters):
    rate, decay = f32(options["rate"]), f32(options.get("weight_decay", 0))
    momentum = f32(options.get("momentum", 0 if kind == "sgd" else 0.9))
    if kind == "sgd":
        nesterov = bool(options.get("nesterov"))
        return torch.optim.SGD(parameters, lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    betas = (momentum, f32(options.get("beta2", 0.999)))
    # adam8bit keeps these few weights' moments in float32 (make_bitsandbytes.py has the others).
    one = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adam8bit": torch.optim.AdamW}[kind]
    return one(parameters, lr=rate, betas=betas, eps=f32(options.get("epsilon", 1e-8)), weight_decay=decay)


def run(kind, options, start, gradients):
    parameters = [torch.nn.Parameter(part.double().clone()) for part in start.split(SIZES)]
    optimizer = optimizer_of(kind, options, parameters)
    result = []
    for gradient in gradients:
        for parameter, part in zip(parameters, gradient.split(SIZES)):
            parameter.grad = part.double().clone()
        if "clip_norm" in options:
            torch.nn.utils.clip_grad_norm_(parameters, options["clip_norm"])
        optimizer.step()
        result.append(torch.cat([parameter.detach() for parameter in parameters]))
    return torch.stack(result)


def scheduler_of(optimizer, kind, warm_up, period, factor):
    """LinearLR rises from 1 / (warm_up + 1) to 1 over warm_up steps; then the schedule, whose steps count from there."""
    schedulers, rest = torch.optim.lr_scheduler, TOTAL - warm_up
    after = {
        "COSINE": lambda: schedulers.CosineAnnealingLR(optimizer, rest),
        "CONSTANT": lambda: schedulers.ConstantLR(optimizer, factor=1),
        "STEP": lambda: schedulers.StepLR(optimizer, period or -(-rest // 3), gamma=f32(factor) or 0.1),
    }[kind]()
    if not warm_up:
        return after
    rise = schedulers.LinearLR(optimizer, 1 / (warm_up + 1), 1, warm_up)
    return schedulers.SequentialLR(optimizer, [rise, after], [warm_up])


def rates(kind, warm_up, period, factor, rate):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=f32(rate))
    scheduler = scheduler_of(optimizer, kind, warm_up, period, factor)
    result = []
    for _ in range(TOTAL):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def literal(value):
    return f"{value}" if isinstance(value, int) else f"{value!r}f"


def header():
    lines = ["/* Made by make_nn.py: the cases of nn.bin. */", "/* clang-format off */"]
    lines += [f"enum {{ GOLDEN_STEPS = {STEPS}, GOLDEN_FIRST = {SIZES[0]}, GOLDEN_SECOND = {SIZES[1]}, "
              f"GOLDEN_WEIGHTS = {sum(SIZES)}, GOLDEN_TOTAL = {TOTAL} }};"]
    lines += ["static const rung_fit_options golden_options[] = {"]
    for kind, options in CASES:
        fields = ", ".join(f".{name} = {literal(value)}" for name, value in options.items())
        lines.append(f"    {{.optimizer = RUNG_OPTIMIZER_{kind.upper()}, {fields}}},")
    lines += ["};", "static const struct {", "  rung_schedule schedule;", "  float rate;", "} golden_schedules[] = {"]
    for kind, warm_up, period, factor, rate in SCHEDULES:
        schedule = f"RUNG_SCHEDULE_{kind}, .warm_up = {warm_up}, .period = {period}, .factor = {literal(factor)}"
        lines.append(f"    {{{{{schedule}}}, {literal(rate)}}},")
    return "\n".join(lines + ["};", ""])


torch.manual_seed(6)
start = torch.randn(sum(SIZES))
# Some steps are clipped and some are not; one weight has no gradient at all.
gradients = torch.randn(STEPS, sum(SIZES)) * torch.linspace(0.2, 1.6, STEPS)[:, None]
gradients[:, 4] = 0
here = pathlib.Path(__file__)
data = start.numpy().tobytes() + gradients.numpy().tobytes()
data += b"".join(run(kind, options, start, gradients).numpy().tobytes() for kind, options in CASES)
data += b"".join(numpy.array(rates(*schedule)).tobytes() for schedule in SCHEDULES)
here.with_name("nn.h").write_text(header())
here.with_name("nn.bin").write_bytes(data)
