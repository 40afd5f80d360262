#!/usr/bin/env python3
"""LetterRecognition.rda of the R package mlbench -> the four IDX files that rung_dataset_load reads.

usage: scripts/letters.py LetterRecognition.rda FOLDER

An example is 16 measures of a printed letter, whole numbers 0..15, and the letter. A measure m is written as the byte
17 m, which read with scale 1/255 is m / 15; a letter as 0 (A) .. 25 (Z). The first 16,000 examples are the training
set and the last 4,000 the test set, as in the paper that brought them (Frey and Slate, 1991)."""

import lzma
import struct
import sys

EXAMPLES, TRAIN, MEASURES, LETTERS = 20000, 16000, 16, 26


class Reader:
    """R's serialization, version 2, big-endian (R Internals, "Serialization Formats"): what a data frame needs."""

    def __init__(self, data):
        self.data, self.at, self.symbols = data, 0, []

    def unpack(self, count, code):
        size = count * struct.calcsize(">" + code)
        values = struct.unpack_from(f">{count}{code}", self.data, self.at)
        self.at += size
        return values

    def integer(self):
        return self.unpack(1, "i")[0]

    def vector(self, code):
        return self.unpack(self.integer(), code)

    def pairs(self, flags):
        """A pairlist: its values by tag."""
        found = {}
        while flags & 0xFF == 2:
            if flags & 0x200:
                self.item()  # attributes of the pair
            tag = self.item() if flags & 0x400 else None
            found[tag] = self.item()
            flags = self.integer()
        return found

    def item(self):
        flags = self.integer()
        kind = flags & 0xFF
        if kind == 254:  # NULL
            return None
        if kind == 255:  # a symbol named before
            return self.symbols[(flags >> 8) - 1]
        if kind == 1:  # a symbol
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == 2:
            return self.pairs(flags)
        if kind == 9:  # characters
            return "".join(map(chr, self.vector("B")))
        if kind in (10, 13):
            value = self.vector("i")
        elif kind == 14:
            value = self.vector("d")
        elif kind in (16, 19):  # strings, a list
            value = [self.item() for _ in range(self.integer())]
        else:
            raise ValueError(f"a value of R's type {kind}, which no table of numbers holds")
        if flags & 0x200:
            self.item()  # attributes: names, levels
        return value


def read(path):
    with lzma.open(path) as file:
        data = file.read()
    if not data.startswith(b"RDX2\nX\n"):
        raise ValueError("not R's format RDX2")
    reader = Reader(data[7:])
    reader.unpack(3, "i")  # versions of the format and of R
    letters, *measures = reader.item()["LetterRecognition"]
    whole = len(measures) == MEASURES and all(len(column) == EXAMPLES for column in (letters, *measures))
    if not whole or set(letters) != set(range(1, LETTERS + 1)) or set().union(*measures) != set(range(16)):
        raise ValueError(f"not {EXAMPLES} letters of {MEASURES} measures 0..15 each")
    return [letter - 1 for letter in letters], [[17 * int(m) for m in row] for row in zip(*measures)]


def write_idx(path, extents, values):
    with open(path, "wb") as file:
        file.write(struct.pack(f">BBBB{len(extents)}I", 0, 0, 8, len(extents), *extents))
        file.write(bytes(values))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/letters.py LetterRecognition.rda FOLDER")
    source, folder = sys.argv[1:]
    try:
        letters, measures = read(source)
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, lzma.LZMAError, struct.error) as error:
        sys.exit(f"letters.py: {source}: {error}")
    for prefix, rows in ("train", slice(0, TRAIN)), ("t10k", slice(TRAIN, EXAMPLES)):
        count = len(letters[rows])
        flat = [value for row in measures[rows] for value in row]
        write_idx(f"{folder}/{prefix}-images-idx3-ubyte", (count, MEASURES), flat)
        write_idx(f"{folder}/{prefix}-labels-idx1-ubyte", (count,), letters[rows])


if __name__ == "__main__":
    main()
