"""Makes optimizer.h: weights after each step of PyTorch's optimizers, for tests/kernels/test_optimizer.c.

    python3 tests/golden/make_optimizer.py > tests/golden/optimizer.h

Computed in float64 from hyperparameters, weights and gradients that are float32, then rounded to float32.
"""
import numpy as np
import torch

COUNT, STEPS = 5, 4


def f32(x):
    return float(np.float32(x))


RATE, BETAS, EPSILON, DECAY, MOMENTUM = f32(0.1), (f32(0.9), f32(0.999)), f32(1e-8), f32(0.01), f32(0.9)
ADAM = dict(lr=RATE, betas=BETAS, eps=EPSILON)
CASES = {
    "sgd": lambda w: torch.optim.SGD(w, lr=RATE),
    "sgd_decay": lambda w: torch.optim.SGD(w, lr=RATE, weight_decay=DECAY),
    "sgd_momentum": lambda w: torch.optim.SGD(w, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY),
    "sgd_nesterov": lambda w: torch.optim.SGD(w, lr=RATE, momentum=MOMENTUM, nesterov=True),
    "adam": lambda w: torch.optim.Adam(w, **ADAM),
    "adam_decay": lambda w: torch.optim.Adam(w, weight_decay=DECAY, **ADAM),
    "adamw": lambda w: torch.optim.AdamW(w, weight_decay=DECAY, **ADAM),
}


def table(name, rows):
    body = ",\n".join("    {" + ", ".join(f"{float(v):.9g}f" if "." in f"{float(v):.9g}" or "e" in f"{float(v):.9g}"
                                          else f"{float(v):.9g}.0f" for v in row) + "}" for row in rows)
    print(f"static const float golden_{name}[{len(rows)}][{COUNT}] = {{\n{body},\n}};")


def main():
    torch.manual_seed(5)
    start = torch.randn(COUNT)
    gradients = torch.randn(STEPS, COUNT) * torch.tensor([1.0, 1e-3, 10.0, 0.0, 1.0])
    print(f"/* Made by make_optimizer.py with PyTorch {torch.__version__.split('+')[0]}. */\n/* clang-format off */")
    print(f"enum {{ golden_count = {COUNT}, golden_steps = {STEPS} }};")
    table("start", [start])
    table("gradients", gradients)
    for name, make in CASES.items():
        weight = torch.nn.Parameter(start.double())
        optimizer, after = make([weight]), []
        for gradient in gradients:
            weight.grad = gradient.double()
            optimizer.step()
            after.append(weight.detach().clone())
        table(name, after)


main()
