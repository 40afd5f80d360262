"""Makes what tests/quant compares with, from PyTorch (torch.fake_quantize_* and torch.ao.quantization.observer):

quant_values.bin   4096 float32: normal numbers, every 97th ten times as large. Batch b of 4 is values[1024 b : 1024 (b + 1)]
                   times GROWTH[b]; x of the fake-quantize cases is values[:256], dy is values[256:512], a weight [16, 64] is
                   values[1024:2048].
quant_fake.bin     float32: for each row of FAKE_CASES y [256], dx [256]; for each of WEIGHT_BITS scale [16], y [16, 64],
                   dw [16, 64] with dy = values[2048:3072].
quant.h            those rows, and the scales and zero points of the observers after 1 and after 4 batches."""
import pathlib

import torch
from torch.ao.quantization import observer as observers

HERE = pathlib.Path(__file__).parent
GROWTH = [1.0, 1.5, 0.75, 2.0]
FAKE_CASES = [(0.025, 117, 0, 255), (0.1, 8, 0, 15), (0.5, 0, -7, 7), (0.75, -1, -2, 1), (0.03125, 0, 0, 255), (2.0, 0, 0, 3)]
WEIGHT_BITS = [8, 4, 2]
FORMATS = [(8, False, False), (4, False, False), (2, False, False), (8, True, False), (8, True, True), (4, True, True), (6, False, False)]


def make_values():
    torch.manual_seed(6)
    values = torch.randn(4096)
    values[::97] *= 10
    return values


def integers(bits, signed, symmetric):
    if not signed:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)) + symmetric, 2 ** (bits - 1) - 1


def fake_cases(values):
    for scale, zero_point, qmin, qmax in FAKE_CASES:
        x = values[:256].clone().requires_grad_()
        y = torch.fake_quantize_per_tensor_affine(x, scale, zero_point, qmin, qmax)
        y.backward(values[256:512])
        yield y.detach()
        yield x.grad


def weight_cases(values):
    for bits in WEIGHT_BITS:
        qmin, qmax = integers(bits, True, True)
        weight = values[1024:2048].reshape(16, 64).clone().requires_grad_()
        observer = observers.PerChannelMinMaxObserver(
            ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_symmetric, quant_min=qmin, quant_max=qmax)
        observer(weight.detach())
        scale, zero_point = observer.calculate_qparams()
        y = torch.fake_quantize_per_channel_affine(weight, scale, zero_point.to(torch.int32), 0, qmin, qmax)
        y.backward(values[2048:3072].reshape(16, 64))
        yield scale
        yield y.detach()
        yield weight.grad


def observer_rows(values):
    kinds = {"MIN_MAX": observers.MinMaxObserver, "MOVING_AVERAGE": observers.MovingAverageMinMaxObserver,
             "MSE": observers.HistogramObserver}
    for kind, make in kinds.items():
        for bits, signed, symmetric in FORMATS:
            for rectified in (False, True):
                qmin, qmax = integers(bits, signed, symmetric)
                observer = make(dtype=torch.qint8 if signed else torch.quint8, quant_min=qmin, quant_max=qmax,
                                qscheme=torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine)
                for b, growth in enumerate(GROWTH):
                    batch = values[1024 * b:1024 * (b + 1)] * growth
                    observer(batch.relu() if rectified else batch)
                    if b in (0, 3):
                        scale, zero_point = observer.calculate_qparams()
                        yield (f"    {{RUNG_OBSERVER_{kind}, {{{bits}, {str(signed).lower()}, {str(symmetric).lower()}}}, "
                               f"{str(rectified).lower()}, {b + 1}, {float(scale).hex()}f, {int(zero_point)}}},")


def store(name, tensors):
    (HERE / name).write_bytes(b"".join(t.contiguous().numpy().astype("<f4").tobytes() for t in tensors))


values = make_values()
store("quant_values.bin", [values])
store("quant_fake.bin", [*fake_cases(values), *weight_cases(values)])
(HERE / "quant.h").write_text(f"""/* Made by make_quant.py with PyTorch {torch.__version__.split('+')[0]}. */
static const float golden_growth[] = {{{', '.join(f'{g}f' for g in GROWTH)}}};

static const struct {{
  float scale;
  int32_t zero_point, qmin, qmax;
}} golden_fake[] = {{
{chr(10).join(f'    {{{s}f, {z}, {a}, {b}}},' for s, z, a, b in FAKE_CASES)}
}};

static const int golden_weight_bits[] = {{{', '.join(map(str, WEIGHT_BITS))}}};

static const struct {{
  rung_observer_kind kind;
  rung_format format;
  bool rectified; /* the batches went through relu */
  int batches;
  float scale;
  int32_t zero_point;
}} golden_observers[] = {{
{chr(10).join(observer_rows(values))}
}};
""")
