"""scripts/letters.py, on a table of the right form with numbers of our own, and on damaged ones."""

import lzma
import pathlib
import struct
import subprocess
import sys
import tempfile

EXAMPLES, TRAIN, MEASURES = 20000, 16000, 16


def letter(i):
    return i * 7 % 26


def measure(i, k):
    return (i * 3 + k * 5 + i // 11) % 16


def integers(*values):
    return struct.pack(f">{len(values)}i", *values)


def symbol(name):
    return integers(1, 9, len(name)) + name.encode()


def table(examples=EXAMPLES, largest=15):
    """As R writes it: a pairlist of one data frame, the letters as a factor with its attributes."""
    letters = [letter(i) + 1 for i in range(examples)]
    factor = integers(0x30D, examples, *letters) + integers(0x402) + symbol("levels")
    factor += integers(16, 26) + b"".join(integers(9, 1) + bytes([65 + n]) for n in range(26))
    factor += integers(0x402) + symbol("class") + integers(16, 1, 9, 6) + b"factor" + integers(254)
    columns = b""
    for k in range(MEASURES):
        values = [min(measure(i, k), largest) for i in range(examples)]
        columns += integers(14, examples) + struct.pack(f">{examples}d", *values)
    frame = integers(0x313, MEASURES + 1) + factor + columns
    frame += integers(0x402, (1 << 8) | 255) + integers(16, 1, 9, 1) + b"x" + integers(254)  # a symbol named before
    return b"RDX2\nX\n" + integers(2, 0x30302, 0x20300) + integers(0x402) + symbol("LetterRecognition") + frame + integers(254)


def convert(data, folder):
    source = pathlib.Path(folder, "table.rda")
    source.write_bytes(data)
    return subprocess.run([sys.executable, "-B", sys.argv[1], source, folder], capture_output=True, text=True)


def test_good(folder):
    done = convert(lzma.compress(table()), folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for prefix, first, count in ("train", 0, TRAIN), ("t10k", TRAIN, EXAMPLES - TRAIN):
        images = pathlib.Path(folder, f"{prefix}-images-idx3-ubyte").read_bytes()
        labels = pathlib.Path(folder, f"{prefix}-labels-idx1-ubyte").read_bytes()
        rows = range(first, first + count)
        assert images[:12] == bytes([0, 0, 8, 2]) + integers(count, MEASURES)
        assert images[12:] == bytes(17 * measure(i, k) for i in rows for k in range(MEASURES))
        assert labels == bytes([0, 0, 8, 1]) + integers(count) + bytes(letter(i) for i in rows)


def test_bad(data, says, folder):
    done = convert(data, folder)
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1, (says, done.stderr)
    assert not list(pathlib.Path(folder).glob("*ubyte"))


def main():
    packed = lzma.compress(table(), preset=0)
    for test in (
        test_good,
        lambda folder: test_bad(packed[:-9], "Compressed file ended", folder),
        lambda folder: test_bad(lzma.compress(b"RDX3\nX\n"), "not R's format RDX2", folder),
        lambda folder: test_bad(lzma.compress(table()[:9000], preset=0), "requires a buffer", folder),
        lambda folder: test_bad(lzma.compress(table(100), preset=0), "not 20000 letters of 16 measures", folder),
        lambda folder: test_bad(lzma.compress(table(largest=14), preset=0), "not 20000 letters of 16 measures", folder),
    ):
        with tempfile.TemporaryDirectory() as folder:
            test(folder)


main()
