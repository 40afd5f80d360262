"""Makes what tests/quant/test_gptq.c and test_adaround.c compare with.

    python3 tests/golden/make_rounding.py

GPTQ after Frantar et al., ICLR 2023, algorithm 1, in float64 and a column at a time, without blocks, on the grid of
symmetric weights (-qmax .. qmax, scale max|w| / qmax or the clip with the least squared error). Where the package
gptqmodel can be imported, its own GPTQ, with a quantizer of that grid, must give the same integers for every case.
AdaRound's loss (Nagel et al., ICML 2020, eq. 21 to 25, the error over the mean square of what it should be) is
differentiated by PyTorch in float64.

rounding.bin   float32: x [N, IN], behind a ReLU, with dead columns and a mean square of 1/2 over the others (so that H's
          mean diagonal is 1); weight [OUT, IN]; x_float [N, IN]; bias [OUT]; v [OUT, IN]; for each row of ADAROUND the
          gradient to v [OUT, IN]. Then int8: for each row of GPTQ the integers [OUT, IN].
rounding.h     those rows, and for each of GPTQ how near a decision came to a tie: that many steps, at least, separate a
          weight from where it would have been rounded to its other neighbour.
"""
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
N, IN, OUT = 64, 80, 10
DEAD = [3, 17, 64]
# bits, group (0: per channel, -1: per tensor), act_order, static_groups, mse, damping
GPTQ = [
    (4, 0, False, False, False, 0.01),
    (3, -1, False, False, False, 0.01),
    (3, 0, True, False, False, 0.01),
    (4, 16, False, False, False, 0.01),
    (4, 24, False, True, False, 0.01),
    (4, 16, True, True, False, 0.01),
    (2, 0, False, False, True, 0.1),
    (3, -1, True, False, True, 0.05),
    (8, 0, False, False, False, 0.001),
    (5, 20, False, False, True, 0.01),
]
# bits, group, clamp (0: none, 1: relu), beta (0: without the regularizer), mse
ADAROUND = [(4, 0, 0, 0.0, False), (3, -1, 1, 20.0, False), (4, 16, 1, 2.0, True), (2, 0, 1, 7.5, True)]


def make_data():
    torch.manual_seed(35)
    x = (torch.randn(N, 12) @ torch.randn(12, IN) * 0.3 + 0.5 * torch.randn(N, IN)).relu()
    x[:, DEAD] = 0
    x *= (0.5 / (x**2).mean(0).sum() * (IN - len(DEAD))).sqrt()
    weight = torch.randn(OUT, IN)
    weight[:, DEAD] *= 0.1
    return x, weight


def width_of(group):
    return group if group > 0 else IN


def scale_of(weight, bits, mse):
    """Of rows that have one each: float32, as the format has it."""
    qmax = 2 ** (bits - 1) - 1
    largest = (weight.abs().amax(1) / qmax).float()
    if not mse:
        return largest
    best, least = largest.clone(), torch.full_like(largest, float("inf"), dtype=torch.float64)
    for i in range(80):
        scale = (1 - i / 100) * largest.double()
        q = (weight.double() / scale[:, None]).round().clamp(-qmax, qmax)
        error = ((q * scale[:, None] - weight.double()) ** 2).sum(1)
        best = torch.where(error < least, scale.float(), best)
        least = torch.minimum(error, least)
    return best


def scales_of(weight, bits, group, mse):
    """[OUT, groups]"""
    if group < 0:
        return scale_of(weight.reshape(1, -1), bits, mse).expand(OUT, 1)
    parts = weight.split(width_of(group), 1)
    return torch.stack([scale_of(part, bits, mse) for part in parts], 1)


def gptq(x, weight, bits, group, act_order, static_groups, mse, damping):
    qmax = 2 ** (bits - 1) - 1
    x, w = x.double(), weight.double()
    h = 2 / N * x.T @ x
    dead = h.diagonal() == 0
    w[:, dead] = 0
    h[dead, dead] = 1
    h += damping * torch.eye(IN, dtype=torch.float64) * h.diagonal().mean()
    scales = scales_of(w.float(), bits, group, mse)
    order = h.diagonal().argsort(descending=True, stable=True) if act_order else torch.arange(IN)
    w, h = w[:, order], h[order][:, order]
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    codes, nearest_tie = torch.zeros(OUT, IN), 0.5
    for j in range(IN):
        column = int(order[j])
        if group > 0 and not static_groups and j % group == 0:
            scales[:, j // group] = scale_of(w[:, j:j + group].float(), bits, mse)
        scale = scales[:, column // width_of(group)].double()
        ratio = w[:, j] / scale
        q = ratio.round().clamp(-qmax, qmax)
        inside = ratio.abs() < qmax
        if inside.any() and not dead[column]:
            nearest_tie = min(nearest_tie, float((0.5 - (ratio - q).abs())[inside].min()))
        codes[:, column] = q.float()
        w[:, j:] -= ((w[:, j] - q * scale) / u[j, j])[:, None] * u[j, j:]
    return codes.to(torch.int8), nearest_tie


def gptq_of_gptqmodel(x, weight, bits, group, act_order, static_groups, mse, damping):
    """The integers, by the package's own code. Its group scales are those of the weights before the block began, so a
    block is a group."""
    from gptqmodel.quantization.config import QuantizeConfig
    from gptqmodel.quantization.gptq import GPTQ as Task
    from gptqmodel.quantization.quantizer import Quantizer

    class Symmetric(Quantizer):
        def requires_groupwise_processing(self):
            return True

    config = QuantizeConfig(bits=bits, group_size=group if group > 0 else -1, desc_act=act_order, sym=True,
                            static_groups=static_groups, damp_percent=damping, act_group_aware=False, fallback=None)
    config.mse = 2.0 if mse else 0.0
    linear = torch.nn.Linear(IN, OUT, bias=False)
    linear.weight.data = weight.clone()
    task = Task(linear, qcfg=config)
    task.quantizer = Symmetric(config)
    task.quantizer.configure(perchannel=group >= 0)
    task.add_batch(x[None], None)
    block = group if group > 0 and not static_groups else 128
    quantized, scale = task.quantize(blocksize=block)[:2]
    scale = scale.reshape(OUT, -1) if scale.numel() > 1 else scale.expand(OUT, 1)
    scale = scale.repeat_interleave(width_of(group), 1)[:, :IN]
    return (quantized / scale).round().to(torch.int8)


def adaround_gradient(x, x_float, weight, bias, v, bits, group, clamp, beta, mse):
    qmax = 2 ** (bits - 1) - 1
    scale = scales_of(weight, bits, group, mse).double().repeat_interleave(width_of(group), 1)[:, :IN]
    f = torch.relu if clamp else torch.nn.Identity()
    w, v = weight.double(), v.double().requires_grad_()
    h = (1.2 * torch.sigmoid(v) - 0.1).clamp(0, 1)
    soft = scale * ((weight / scale.float()).floor() + h).clamp(-qmax, qmax)
    target, y = f(x_float.double() @ w.T + bias.double()), f(x.double() @ soft.T + bias.double())
    loss = ((y - target) ** 2).sum(1).mean() / (target**2).mean()
    if beta:
        loss = loss + 0.01 * (1 - (2 * h - 1).abs() ** beta).sum()
    loss.backward()
    return v.grad.float()


def check_with_gptqmodel(x, weight, codes):
    try:
        import gptqmodel
    except ImportError:
        print("gptqmodel cannot be imported: its integers are not compared")
        return
    for case, expected in zip(GPTQ, codes):
        difference = int((gptq_of_gptqmodel(x, weight, *case) != expected).sum())
        print(f"gptqmodel {gptqmodel.__version__}, {case}: {difference} integers differ")


def main():
    x, weight = make_data()
    x_float, bias, v = (x + 0.05 * torch.randn(N, IN)).relu(), torch.randn(OUT), 1.5 * torch.randn(OUT, IN)
    results = [gptq(x, weight, *case) for case in GPTQ]
    gradients = [adaround_gradient(x, x_float, weight, bias, v, *case) for case in ADAROUND]
    floats = [x, weight, x_float, bias, v, *gradients]
    (HERE / "rounding.bin").write_bytes(b"".join(t.contiguous().numpy().astype("<f4").tobytes() for t in floats) +
                                   b"".join(codes.numpy().tobytes() for codes, _ in results))
    truth = {False: "false", True: "true"}
    gptq_rows = "\n".join(f"    {{{b}, {g}, {truth[a]}, {truth[s]}, {truth[m]}, {d}f}}, /* {tie:.1e} */"
                          for (b, g, a, s, m, d), (_, tie) in zip(GPTQ, results))
    adaround_rows = "\n".join(f"    {{{b}, {g}, {'RUNG_CLAMP_RELU' if c else 'RUNG_CLAMP_NONE'}, {beta}f, {truth[m]}}},"
                              for b, g, c, beta, m in ADAROUND)
    (HERE / "rounding.h").write_text(f"""/* Made by make_rounding.py with PyTorch {torch.__version__.split('+')[0]}. */
/* clang-format off */
enum {{ GOLDEN_N = {N}, GOLDEN_IN = {IN}, GOLDEN_OUT = {OUT} }};

static const struct {{
  int bits, group; /* group 0: per channel; -1: per tensor */
  bool act_order, static_groups, mse;
  float damping;
}} golden_gptq[] = {{
{gptq_rows}
}};

static const struct {{
  int bits, group;
  rung_clamp clamp;
  float beta;
  bool mse;
}} golden_adaround[] = {{
{adaround_rows}
}};
""")
    check_with_gptqmodel(x, weight, [codes for codes, _ in results])


main()
