"""Makes prune.h: the mask of PyTorch's global magnitude pruning, for tests/nn/test_prune.c.

    python3 tests/golden/make_prune.py > tests/golden/prune.h

Of two weights torch.nn.utils.prune.global_unstructured prunes the 70 % of smallest magnitude, then, of what is left, so
many that 90 % are gone.
"""
import torch
from torch import nn
from torch.nn.utils import prune

SHAPES = (7, 12), (5, 7)


def numbers(name, kind, values, form):
    body = ",".join(form.format(v) for v in values)
    print(f"static const {kind} {name}[{len(values)}] = {{{body}}};")


def main():
    torch.manual_seed(11)
    layers = [nn.Linear(columns, rows) for rows, columns in SHAPES]
    for spread, layer in zip((1, 3), layers):
        layer.weight.data = spread * torch.randn(layer.weight.shape)
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    print(f"/* Made by make_prune.py with PyTorch {torch.__version__.split('+')[0]}. */\n/* clang-format off */")
    print(f"enum {{ GOLDEN_HIDDEN = {SHAPES[0][0]}, GOLDEN_IN = {SHAPES[0][1]}, GOLDEN_OUT = {SHAPES[1][0]} }};")
    numbers("golden_weights", "float", weights.tolist(), "{:.9g}f")
    left = len(weights)
    for percent in 70, 90:
        count = round(percent / 100 * len(weights)) - (len(weights) - left)
        prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=count)
        masks = torch.cat([layer.weight_mask.flatten() for layer in layers]).int()
        left = int(masks.sum())
        numbers(f"golden_mask_{percent}", "unsigned char", masks.tolist(), "{}")


main()
