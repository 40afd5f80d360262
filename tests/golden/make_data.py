"""Makes data/: NPY files of every type that Rung reads, and CSV files, written by numpy.

Every NPY array is [4, 3]; element (i, j) is n = 3 i + j for unsigned integers, n - 5 for signed ones, (n - 5) / 4 for
floats and n % 2 for booleans. labels.npy is [4], n % 3. numbers.csv holds 200 float32 numbers, as 17 digits of their
float64 neighbours print, beside the bits of the float32 nearest to each text."""
import pathlib

import numpy

FOLDER = pathlib.Path(__file__).parent / "data"
FOLDER.mkdir(exist_ok=True)

n = numpy.arange(12).reshape(4, 3)
values = {"b": n % 2, "u": n, "i": n - 5, "f": (n - 5) / 4}
for kind in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split():
    for order, name in (("<", "little"), (">", "big")) if kind[1] != "1" else (("|", "byte"),):
        numpy.save(FOLDER / f"{kind}_{name}.npy", values[kind[0]].astype(order + kind))
with open(FOLDER / "version_2.npy", "wb") as file:
    numpy.lib.format.write_array(file, values["f"].astype("<f4"), (2, 0))
with open(FOLDER / "version_3.npy", "wb") as file:
    numpy.lib.format.write_array(file, values["f"].astype("<f4"), (3, 0))
numpy.save(FOLDER / "fortran.npy", numpy.asfortranarray(values["f"]))
numpy.save(FOLDER / "labels.npy", numpy.arange(4) % 3)

numpy.savetxt(FOLDER / "savetxt.csv", numpy.column_stack([values["f"], numpy.arange(4) % 3]), delimiter=",")


def nearest_bits(text):
    """The bits of the float32 nearest to a decimal, ties to even, by exact fractions: float32(float64) rounds twice."""
    from fractions import Fraction

    exact = Fraction(text)
    guess = numpy.float32(float(exact))
    around = [numpy.nextafter(guess, numpy.float32(-numpy.inf)), guess, numpy.nextafter(guess, numpy.float32(numpy.inf))]
    best = min(around, key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(numpy.uint32)) & 1))
    return int(best.view(numpy.uint32))


rng = numpy.random.default_rng(1)
lines = []
for i in range(200):
    bits = numpy.uint32(rng.integers(0, 2**31) if i % 2 else rng.integers(0x3D000000, 0x43000000))
    x = bits.view(numpy.float32)
    if not numpy.isfinite(x):
        continue
    up = numpy.nextafter(x, numpy.float32(numpy.inf))
    halfway = (float(x) + float(up)) / 2  # exact: where a careless reader rounds the wrong way
    wanted = [x, halfway, halfway * (1 + 2**-50), halfway * (1 - 2**-50)][i % 4]
    text = f"{'-' if i % 3 == 0 else ''}{float(wanted):.{(25, 60, 17, 9)[i // 4 % 4]}{'ge'[i % 2]}}"
    high, low = divmod(nearest_bits(text), 65536)
    lines.append(f"{text},{high},{low}")
(FOLDER / "numbers.csv").write_text("\n".join(lines) + "\n")
