"""Makes bitsandbytes.bin: what bitsandbytes makes of given numbers, for tests/quant/test_formats.c and
tests/nn/test_adam8bit.c.

    python3 tests/golden/make_bitsandbytes.py      (bitsandbytes 0.50.2, its CPU build)

bitsandbytes has two block-wise quantizers for CPUs. Its portable one, in PyTorch, takes the nearest code, as its GPU
kernels do; all but the last array come from that one. Its native library first rounds x / absmax to one of 65,536
values that lie evenly in [-1, 1], which is coarser than the dynamic map is near 0; the last array comes from it.

bitsandbytes.bin is little-endian; tests/bitsandbytes.h says what is in it, in order. The numbers that go in are not in
it: both sides compute them (`numbers`)."""
import ctypes
import pathlib

import numpy
import torch

load = ctypes.cdll.LoadLibrary


def refuse(path):
    raise OSError(path)


ctypes.cdll.LoadLibrary = refuse  # bitsandbytes then keeps to its portable kernels
import bitsandbytes  # noqa: E402
import bitsandbytes.functional as functional  # noqa: E402

ctypes.cdll.LoadLibrary = load

NF4_COUNT = 64 * 300 + 17
ADAM_COUNT, ADAM_SMALL, ADAM_STEPS = 4096 + 133, 40, 6
N, IN, OUT = 5, 96, 7
NATIVE_COUNT = 1000


def mix(x):
    """MurmurHash3's 32-bit finalizer."""
    x = numpy.asarray(x, dtype=numpy.uint32)
    x = (x ^ (x >> numpy.uint32(16))) * numpy.uint32(0x85EBCA6B)
    x = (x ^ (x >> numpy.uint32(13))) * numpy.uint32(0xC2B2AE35)
    return x ^ (x >> numpy.uint32(16))


def numbers(count, seed):
    """Triangular in (-1, 1), multiples of 2^-16, exact in float32."""
    h = mix(numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF))
    whole = (h & 0xFFFF).astype(numpy.int64) + (h >> 16).astype(numpy.int64) - 65535
    return torch.from_numpy((whole / 65536).astype(numpy.float32))


def nf4():
    i = torch.arange(NF4_COUNT)
    weight = numbers(NF4_COUNT, 1) * (1 + i // 64 % 7).float()
    packed, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    _, plain = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=False)
    decoded = functional.dequantize_4bit(packed, state)
    return [plain.absmax, state.state2.absmax, state.offset.reshape(1), decoded[::50], packed, state.absmax]


def adam8bit(count):
    weight = torch.nn.Parameter(numbers(count, 2))
    optimizer = bitsandbytes.optim.Adam8bit([weight], lr=0.01)
    for step in range(ADAM_STEPS):
        scale = 1 + torch.arange(count) % 5
        weight.grad = numbers(count, 3 + step) * scale.float() / 64
        optimizer.step()
    return weight.detach(), optimizer.state[weight]


def llm_int8():
    x = numbers(N * IN, 20).reshape(N, IN) * 4
    x[1, 10] = 7
    x[3, 50] = -6
    x[4, 50] = 20
    weight = numbers(OUT * IN, 21).reshape(OUT, IN) / 8
    codes, absmax, outliers = functional.int8_vectorwise_quant(x.half(), threshold=6.0)
    weight_codes, weight_absmax, _ = functional.int8_vectorwise_quant(weight.half())
    # The published product, in float64: bitsandbytes' own rounds its result to float16, and takes the outlier
    # columns of the weight from its int8 codes.
    y = codes.double() @ weight_codes.double().t() * absmax.double()[:, None] * weight_absmax.double() / 127**2
    y += x.half().double()[:, outliers] @ weight.half().double()[:, outliers].t()
    return [absmax, weight_absmax, y.float(), outliers.int(), codes, weight_codes]


def native():
    library = ctypes.CDLL(str(pathlib.Path(bitsandbytes.__file__).parent / "libbitsandbytes_cpu.so"))
    x, code = numbers(NATIVE_COUNT, 30) ** 3, functional.create_dynamic_map()
    absmax, out = torch.empty(1), torch.empty(NATIVE_COUNT, dtype=torch.uint8)
    size = ctypes.c_longlong
    library.cquantize_blockwise_cpu_fp32(*(ctypes.c_void_p(t.data_ptr()) for t in (code, x, absmax, out)), size(256),
                                         size(NATIVE_COUNT))
    return [out]


def main():
    weight, state = adam8bit(ADAM_COUNT)
    small, small_state = adam8bit(ADAM_SMALL)
    assert state["state1"].dtype == torch.uint8 and small_state["state1"].dtype == torch.float32
    arrays = [functional.create_dynamic_map(signed=True), functional.create_dynamic_map(signed=False)]
    arrays += nf4()
    arrays += [state["absmax1"], state["absmax2"], weight[::8], small, state["state1"], state["state2"]]
    arrays += llm_int8()
    arrays += native()
    with open(pathlib.Path(__file__).parent / "bitsandbytes.bin", "wb") as file:
        for array in arrays:
            file.write(array.contiguous().numpy().tobytes())
    print(bitsandbytes.__version__, [(str(a.dtype), tuple(a.shape)) for a in arrays])


main()
