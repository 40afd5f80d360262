"""Makes distillation.h: the loss of a distillation and its gradient by PyTorch, for tests/autograd/test_distillation.c.

    python3 tests/golden/make_distillation.py > tests/golden/distillation.h

Computed in float64 from logits that are float32.
"""
import torch
from torch.nn import functional as F

ROWS, CLASSES = 6, 5
CASES = (1.0, 0.5), (4.0, 0.9), (2.5, 1.0), (0.5, 0.25), (20.0, 0.7)  # temperature, alpha


def table(name, kind, rows, form):
    width = f"[{len(rows[0])}]" if isinstance(rows[0], list) else ""
    body = ",\n".join("    " + ("{" + ", ".join(form.format(v) for v in row) + "}" if width else form.format(row))
                      for row in rows)
    print(f"static const {kind} golden_{name}[{len(rows)}]{width} = {{\n{body},\n}};")


def loss_of(student, teacher, labels, temperature, alpha):
    hard = F.cross_entropy(student, labels)
    soft = F.kl_div(F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1),
                    reduction="batchmean", log_target=True)
    return (1 - alpha) * hard + alpha * temperature ** 2 * soft


def main():
    torch.manual_seed(7)
    student, teacher = 2 * torch.randn(ROWS, CLASSES), 3 * torch.randn(ROWS, CLASSES)
    teacher[1] = student[1]  # nothing to learn from it
    teacher[2] = torch.tensor([90.0, -90.0, 0.0, 0.0, 80.0])  # probabilities of 0
    labels = torch.randint(CLASSES, (ROWS,))
    print(f"/* Made by make_distillation.py with PyTorch {torch.__version__.split('+')[0]}. */\n/* clang-format off */")
    print(f"enum {{ GOLDEN_ROWS = {ROWS}, GOLDEN_CLASSES = {CLASSES}, GOLDEN_CASES = {len(CASES)} }};")
    table("student", "float", student.tolist(), "{:.9e}f")
    table("teacher", "float", teacher.tolist(), "{:.9e}f")
    table("labels", "int", labels.tolist(), "{}")
    table("cases", "float", [list(case) for case in CASES], "{:.9e}f")
    losses, gradients = [], []
    for temperature, alpha in CASES:
        x = student.double().requires_grad_()
        loss = loss_of(x, teacher.double(), labels, temperature, alpha)
        loss.backward()
        losses.append(loss.item())
        gradients.append(x.grad.flatten().tolist())
    table("losses", "double", losses, "{:.17e}")
    table("gradients", "double", gradients, "{:.17e}")


main()
