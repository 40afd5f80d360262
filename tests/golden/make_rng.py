"""Makes rng_normal.bin: the first 1024 normal numbers of seed 2024, as little-endian float32.

An implementation of its own: Philox4x32-10 as in its paper, and the polar method with the C library's logarithm."""
import math
import pathlib
import struct

MASK = 0xFFFFFFFF


def philox(counter, key):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(p1 >> 32) ^ counter[1] ^ key[0], p1 & MASK, (p0 >> 32) ^ counter[3] ^ key[1], p0 & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return counter


def numbers(seed):
    block = 0
    while True:
        yield from philox([block & MASK, block >> 32, 0, 0], [seed & MASK, seed >> 32])
        block += 1


def normals(seed):
    source = ((2 * n + 1 - 2**32) / 2**32 for n in numbers(seed))
    for u in source:
        s = u * u + next(source) ** 2
        if s < 1:
            yield u * math.sqrt(-2 * math.log(s) / s)


source = normals(2024)
values = [next(source) for _ in range(1024)]
pathlib.Path(__file__).with_name("rng_normal.bin").write_bytes(struct.pack("<1024f", *values))
