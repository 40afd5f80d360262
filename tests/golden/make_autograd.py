"""Makes autograd.h: PyTorch's values and gradients of the cases in tests/autograd/cases.h.

    python3 tests/golden/make_autograd.py > tests/golden/autograd.h

Computed in float64 from operands that are float32, then rounded to float32: what the exact answer is, not one machine's
float32 sums.
"""
import textwrap

import torch
import torch.nn.functional as F

ROWS, CLASSES = 6, 5
LABEL = torch.tensor([(3 * i + 1) % CLASSES for i in range(ROWS)])


def batch_norm(training):
    def run(p):
        # PyTorch changes the running statistics in place; the tensors in p stay as they were.
        mean, variance = p["mean"].detach().clone(), p["variance"].detach().clone()
        y = F.batch_norm(p["x"], mean, variance, p["scale"], p["shift"], training, 0.1, 1e-5)
        return y, {"mean": mean, "variance": variance}
    return run


def whole_norm(training):
    """One mean and variance of all elements, by hand: PyTorch has no such layer."""
    def run(p):
        x, mean, variance = p["x"], p["mean"].detach().clone(), p["variance"].detach().clone()
        if not training:
            return (x - mean) / (variance + 1e-5).sqrt() * p["scale"] + p["shift"], {"mean": mean, "variance": variance}
        y = (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt() * p["scale"] + p["shift"]
        return y, {"mean": 0.9 * mean + 0.1 * x.mean(), "variance": 0.9 * variance + 0.1 * x.var(unbiased=True)}
    return run


def hinge(scores):
    sign = 2.0 * F.one_hot(LABEL, CLASSES) - 1
    return torch.clamp(1 - sign * scores, min=0).square().mean()


NORM = {"x": (6, 5), "scale": (5,), "shift": (5,), "mean": (5,), "variance": (5,)}
WHOLE = {"x": (6, 5), "scale": (1,), "shift": (1,), "mean": (1,), "variance": (1,)}
X = {"x": (6, 5)}
SCORES = {"x": (CLASSES, ROWS)}

CASES = {
    "linear": ({"x": (6, 5), "weight": (4, 5), "bias": (4,)}, lambda p: F.linear(p["x"], p["weight"], p["bias"])),
    "linear/no_bias": ({"x": (6, 5), "weight": (4, 5)}, lambda p: F.linear(p["x"], p["weight"])),
    "linear/deep": ({"x": (6, 2, 3), "weight": (4, 6), "bias": (4,)},
                    lambda p: F.linear(p["x"].flatten(1), p["weight"], p["bias"])),
    "matmul": ({"a": (6, 5), "b": (5, 4)}, lambda p: p["a"] @ p["b"]),
    "add": ({"a": (6, 5), "b": (6, 5)}, lambda p: p["a"] + p["b"]),
    "add/row": ({"a": (3, 2, 5), "b": (5,)}, lambda p: p["a"] + p["b"]),
    "multiply": ({"a": (6, 5), "b": (6, 5)}, lambda p: p["a"] * p["b"]),
    "multiply/row": ({"a": (3, 2, 5), "b": (5,)}, lambda p: p["a"] * p["b"]),
    "relu": (X, lambda p: F.relu(p["x"])),
    "relu6": (X, lambda p: F.relu6(p["x"])),
    "sigmoid": (X, lambda p: torch.sigmoid(p["x"])),
    "tanh": (X, lambda p: torch.tanh(p["x"])),
    "gelu": (X, lambda p: F.gelu(p["x"])),
    "reshape": ({"x": (6, 2, 3)}, lambda p: p["x"].reshape(6, 3, 1, 2)),
    "dropout/evaluation": (X, lambda p: F.dropout(p["x"], 0.25, training=False)),
    "batch_norm": (NORM, batch_norm(True)),
    "batch_norm/evaluation": (NORM, batch_norm(False)),
    "sum": (X, lambda p: p["x"].sum()),
    "mean": (X, lambda p: p["x"].mean()),
    "cross_entropy": (SCORES, lambda p: F.cross_entropy(p["x"].T, LABEL)),
    "squared_error": ({"x": (6, 5), "target": (6, 5)}, lambda p: F.mse_loss(p["x"], p["target"])),
    "squared_hinge": (SCORES, lambda p: hinge(p["x"].T)),
    "rescale": (X, lambda p: -0.75 * p["x"] + 2.5),
    "batch_norm/whole": (WHOLE, whole_norm(True)),
    "batch_norm/whole_evaluation": (WHOLE, whole_norm(False)),
}
NOT_TRAINED = ("mean", "variance")


def operand(name, shape):
    """Spread enough to reach every branch of the activations; the corners 0 and 6 themselves are among relu's."""
    x = 3 * torch.randn(shape, dtype=torch.float32)
    if name == "variance":
        x = 0.25 + x.abs()
    return x.double().requires_grad_(name not in NOT_TRAINED)


def floats(tensor):
    if tensor is None:
        return "NULL"
    texts = [f"{float(v):.9g}" for v in tensor.detach().float().flatten()]
    return "(const float[]){" + ", ".join((t if "." in t or "e" in t else t + ".0") + "f" for t in texts) + "}"


def row(case, name, value, gradient=None, after=None):
    lines = [f'{{"{case}", "{name}", {value.numel()}, {floats(value)},', f"{floats(gradient)}, {floats(after)}}},"]
    for line in lines:
        print(textwrap.fill(line, 118, initial_indent="    ", subsequent_indent="     "))


def main():
    torch.manual_seed(20)
    print("/* Made by make_autograd.py with PyTorch " + torch.__version__.split("+")[0] + ". */")
    print("/* clang-format off */")
    print("static const golden_tensor golden_tensors[] = {")
    for case, (shapes, run) in CASES.items():
        p = {name: operand(name, shape) for name, shape in shapes.items()}
        if case in ("relu", "relu6"):
            p["x"].data[0, 0], p["x"].data[0, 1], p["x"].data[0, 2] = 0.0, 6.0, 7.0
        y = run(p)
        y, after = y if isinstance(y, tuple) else (y, {})
        coefficient = operand("coefficient", y.shape)
        (coefficient * y).sum().backward()
        for name, tensor in p.items():
            row(case, name, tensor, tensor.grad, after.get(name))
        row(case, "coefficient", coefficient, coefficient.grad)
        row(case, "=", y)
    print("};")
    print("/* clang-format on */")


main()
