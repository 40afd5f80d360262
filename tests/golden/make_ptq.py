"""Makes ptq.h, what tests/quant/test_ptq_methods.c compares with:

CLE          torch.ao.quantization._equalize.equalize, over three layers whose rows and columns are symmetric about 0, so
             that its range (largest minus smallest) is twice the largest magnitude;
AWQ          AutoAWQ 0.2.9 (PyPI, its sdist on PYTHONPATH; what it imports beside torch is left out):
             AwqQuantizer._compute_best_scale without duo scaling, _compute_best_clip;
SmoothQuant  the published formula, in torch.

All data are cut from quant_values.bin: v[4096] float32. second [64, 32] = v[0:2048]; x [64, 32] = relu(v[2048:4096]) times
2^(j % 8 - 3) in column j, column 5 all 0 but for AWQ."""
import pathlib
import sys
import types
from unittest import mock

import numpy
import torch

HERE = pathlib.Path(__file__).parent
OUT, IN, N, GROUP = 64, 32, 64, 16
ALPHAS = [0.5, 0.25, 0.8]
BITS = [4, 3, 2]


def load_awq():
    for name in ["transformers", "tqdm", "awq.utils.calib_data", "awq.quantize.scale", "awq.utils.utils", "awq.modules.linear",
                 "awq.utils.module", "awq.models", "awq.models.auto", "awq.models.base"]:
        sys.modules[name] = mock.MagicMock()
    for path in sys.path:
        source = pathlib.Path(path) / "awq/quantize/quantizer.py"
        if source.exists():
            module = types.ModuleType("quantizer")
            exec(compile(source.read_text(), str(source), "exec"), module.__dict__)
            return module.AwqQuantizer
    raise SystemExit("AutoAWQ's source is not on PYTHONPATH")


def awq_like(cls, bits, group):
    """A quantizer with the fields that its two searches read."""
    fields = types.SimpleNamespace(w_bit=bits, group_size=group, zero_point=False, duo_scaling=False, max_chunk_memory=1 << 30,
                                   n_parallel_calib_samples=None)
    for name in ["pseudo_quantize_tensor", "_compute_best_scale", "_compute_best_clip", "_compute_loss", "_module_forward"]:
        setattr(fields, name, types.MethodType(getattr(cls, name), fields))
    return fields


def awq_cases(cls, weight, x):
    for bits in BITS:
        for group in [IN, GROUP]:
            linear = torch.nn.Linear(IN, OUT, bias=False)
            linear.weight.data = weight.clone()
            linear.requires_grad_(False)
            like = awq_like(cls, bits, group)
            scale = like._compute_best_scale(x, torch.ones(IN), x.abs().mean(0), linear, [linear], linear(x))
            clip = like._compute_best_clip(weight.clone(), x)
            yield bits, group, scale, clip.reshape(-1) / (2 ** (bits - 1) - 1)


def smooth(weight, x, alpha):
    s = x.abs().amax(0).pow(alpha) / weight.abs().amax(0).clamp(min=1e-5).pow(1 - alpha)
    return s.clamp(min=1e-5)


def cle(v):
    a, m, c = v[:24].reshape(4, 6), v[24:44].reshape(5, 4), v[44:59].reshape(3, 5)
    layers = [torch.cat([torch.cat([a, -a], 1)] * 2), torch.cat([torch.cat([m, -m], 1), torch.cat([-m, m], 1)]),
              torch.cat([torch.cat([c, c], 1), torch.cat([-c, -c], 1)])]
    model = torch.nn.Sequential(*[torch.nn.Linear(w.shape[1], w.shape[0]) for w in layers])
    for linear, w in zip(model, layers):
        linear.weight.data = w.clone()
        linear.bias.data = torch.arange(1.0, w.shape[0] + 1)
    from torch.ao.quantization._equalize import equalize
    return layers, equalize(model, [["0", "1"], ["1", "2"]], threshold=1e-7, inplace=False)


def row(name, values):
    numbers = ", ".join(f"{float(f):.8e}f" for f in values.reshape(-1))
    return f"static const float {name}[] = {{{numbers}}};\n"


def main():
    v = torch.from_numpy(numpy.fromfile(HERE / "quant_values.bin", dtype=numpy.float32))
    weight = v[:2048].reshape(OUT, IN)
    x = v[2048:].reshape(N, IN).relu() * 2.0 ** (torch.arange(IN) % 8 - 3)
    silent = x.clone()
    silent[:, 5] = 0
    text = f"/* Made by make_ptq.py with PyTorch {torch.__version__.split('+')[0]} and AutoAWQ 0.2.9. */\n"
    before, after = cle(v)
    for i, linear in enumerate(after):
        text += row(f"golden_cle_before_{i}", before[i])
        text += row(f"golden_cle_weight_{i}", linear.weight.data) + row(f"golden_cle_bias_{i}", linear.bias.data)
    text += "static const float golden_alpha[] = {%s};\n" % ", ".join(f"{a}f" for a in ALPHAS)
    text += row("golden_smooth", torch.cat([smooth(weight, silent, a) for a in ALPHAS]))
    cases = list(awq_cases(load_awq(), weight, x))
    text += "static const struct {\n  int bits, group;\n} golden_awq[] = {%s};\n" % ", ".join(
        f"{{{bits}, {group % IN}}}" for bits, group, _, _ in cases)
    text += row("golden_awq_scale", torch.cat([scale for _, _, scale, _ in cases]))
    text += row("golden_awq_clip", torch.cat([clip for _, _, _, clip in cases]))
    (HERE / "ptq.h").write_text(text)


main()
