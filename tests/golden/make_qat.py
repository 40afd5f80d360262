"""Values and gradients of the low-bit methods by PyTorch's autograd, from the formulas of their papers: writes qat.h.

LSQ (Esser et al., 2020), PACT (Choi et al., 2018), DoReFa's weights (Zhou et al., 2016). The rounding is straight
through, as the papers have it: round_pass(x) has the value of round(x) and the gradient of x. DoReFa's maximum counts
as a constant, and multiplies the result (docs/low-bit.md).
"""

import math
import pathlib
import sys

import torch

torch.manual_seed(9)
ROWS, COLUMNS = 6, 20


def round_pass(x):
    return x + (torch.round(x) - x).detach()


def grad_scale(x, scale):
    return x * scale + (x - x * scale).detach()


def lsq(v, step, low, high, features):
    s = grad_scale(step, 1 / math.sqrt(features * high))
    return round_pass(torch.clamp(v / s, low, high)) * s


def pact(x, alpha, high):
    y = 0.5 * (x.abs() - (x - alpha).abs() + alpha)  # equation 1 of the paper: 0, x or alpha
    s = alpha / high
    return y + (torch.round(y * high / alpha) * s - y).detach()


def dorefa(w, bits):
    levels = 2**bits - 1
    t = torch.tanh(w)
    most = t.abs().amax(dim=1, keepdim=True).detach()
    return most * (2 * round_pass(levels * (t / (2 * most) + 0.5)) / levels - 1)


def array(name, tensor):
    values = ", ".join(f"{x:.9g}" + ("f" if "." in f"{x:.9g}" or "e" in f"{x:.9g}" else ".0f") for x in tensor.flatten().tolist())
    return f"static const float {name}[] = {{{values}}};\n"


def emit(out, name, *pairs):
    for part, tensor in pairs:
        out.append(array(f"{name}_{part}", tensor.detach()))


def main():
    out = [f"/* Written by make_qat.py with PyTorch {torch.__version__.split('+')[0]}; do not edit. */\n", "/* clang-format off */\n",
           f"enum {{ QAT_ROWS = {ROWS}, QAT_COLUMNS = {COLUMNS} }};\n"]
    v = torch.randn(ROWS, COLUMNS) * torch.linspace(0.05, 1.5, ROWS)[:, None]
    g = torch.randn(ROWS, COLUMNS)
    emit(out, "qat", ("v", v), ("g", g))
    for bits in (2, 3, 8):
        half = 2 ** (bits - 1)
        low, high = (1 - half if bits == 8 else -half), half - 1
        for name, shape in (("channel", (ROWS, 1)), ("tensor", (1, 1))):
            mean = v.abs().mean(dim=1, keepdim=True) if name == "channel" else v.abs().mean().reshape(1, 1)
            w, s = v.clone().requires_grad_(), (2 * mean / math.sqrt(high)).requires_grad_()
            features = COLUMNS if name == "channel" else ROWS * COLUMNS
            y = lsq(w, s, low, high, features)
            y.backward(g)
            emit(out, f"lsq{bits}_{name}", ("y", y), ("s", s), ("dw", w.grad), ("ds", s.grad))
    for bits in (2, 4):
        high = 2**bits - 1
        x, s = v.clone().requires_grad_(), torch.tensor([0.31]).requires_grad_()
        y = lsq(torch.relu(x), s, 0, high, ROWS * COLUMNS)
        y.backward(g)
        emit(out, f"lsq_a{bits}", ("y", y), ("dx", x.grad), ("ds", s.grad))
        x, alpha = v.clone().requires_grad_(), torch.tensor([0.9]).requires_grad_()
        y = pact(x, alpha, high)
        (y * g).sum().backward()
        emit(out, f"pact{bits}", ("y", y), ("dx", x.grad), ("dalpha", alpha.grad))
    for bits in (2, 4):
        w = v.clone().requires_grad_()
        y = dorefa(w, bits)
        y.backward(g)
        emit(out, f"dorefa{bits}", ("y", y), ("dw", w.grad))
    pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "qat.h").write_text("".join(out))


main()
