"""Makes seeds/NAME: small files, good and bad, from which the fuzzers of idx, npy and csv set out.

Needs numpy. Files that a fuzzer found (named by their hash) are not made here and stay."""
import gzip
import io
import pathlib
import struct

import numpy

SEEDS = pathlib.Path(__file__).parent / "seeds"


def write(target, name, data):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def idx(code, extents, elements):
    return struct.pack(f">BBBB{len(extents)}I", 0, 0, code, len(extents), *extents) + elements


def npy(array, version=None):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, version)
    return file.getvalue()


def npy_header(text, version=1):
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


def zipped(data):
    return gzip.compress(data, mtime=0)


def make_idx():
    good = idx(8, [2, 3], bytes(range(6)))
    write("idx", "u8", good)
    write("idx", "u8_gzip", zipped(good))
    write("idx", "u8_two_members", zipped(good[:7]) + zipped(good[7:]))
    write("idx", "i8", idx(9, [4], b"\x80\xff\x00\x7f"))
    write("idx", "i32", idx(12, [1, 1, 2], struct.pack(">2i", -1, 2**31 - 1)))
    write("idx", "f32", idx(13, [2], struct.pack(">2f", 1.5, float("nan"))))
    write("idx", "rank_6", idx(8, [1] * 6, b"\x07"))
    write("idx", "claims_2_60", idx(8, [2**30, 2**30], bytes(6)))
    write("idx", "claims_2_64_gzip", zipped(idx(8, [2**22, 2**21, 2**21], bytes(6))))
    write("idx", "zero_extent", idx(8, [0, 3], b""))
    write("idx", "short", good[:-1])
    write("idx", "empty", b"")


def make_npy():
    for kind in "b1 i1 u1 <i2 >u2 <i4 >i4 <u4 <i8 >u8 <f2 >f4 <f4 <f8 >f8".split():
        write("npy", kind.replace("<", "little_").replace(">", "big_"), npy(numpy.arange(3).astype(kind)))
    matrix = numpy.arange(6, dtype="<f4").reshape(2, 3)
    write("npy", "version_2", npy(matrix, (2, 0)))
    write("npy", "version_3", npy(matrix, (3, 0)))
    write("npy", "gzip", zipped(npy(matrix)))
    write("npy", "fortran", npy(numpy.asfortranarray(matrix)))
    write("npy", "scalar", npy(numpy.float32(1)))
    write("npy", "empty", npy(numpy.zeros((0, 3), "<f4")))
    write("npy", "complex", npy(numpy.zeros(2, "<c8")))
    write("npy", "record", npy(numpy.zeros(1, [("a", "<i4"), ("b", "<f4")])))
    write("npy", "beyond", npy(numpy.array([2**40, 1], "<i8")))
    write("npy", "not_finite", npy(numpy.array([1, numpy.inf, numpy.nan, 1e300])))
    write("npy", "claims", npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 4), }\n"))
    write("npy", "python_2", npy_header("{\"shape\": (2L,), 'descr': \"|u1\", 'fortran_order': False}") + b"\x01\x02")
    write("npy", "long_header", npy_header("{", 2)[:8] + struct.pack("<I", 2**32 - 1))


def make_csv():
    def options(separator=0, header=0, columns=0, pixels=0):
        return bytes([separator | header << 2 | columns << 4 | pixels << 7])

    write("csv", "numbers", options() + b"1,2.5,0\n-3e-4,.5,1\n")
    write("csv", "names", options() + b"width;height;kind\r\n1;2;cat\r\n\r\n3;4;\"do\"\"g\"\r\n")
    write("csv", "label_first", options(columns=1) + b"1\t2\t3\n0\t4\t5\n")
    write("csv", "label_named", options(columns=2) + b"a,label,b\n1,0,2\n3,1,4\n")
    write("csv", "targets_last_2", options(columns=3) + b"1,2,3\n4,5,6\n")
    write("csv", "targets_named", options(columns=5) + b"\xef\xbb\xbfx,b,a\n1,2,3\n")
    write("csv", "pixels", options(columns=1, pixels=1) + b"label,1x1,1x2\n5,0,255\n4,128,7\n")
    write("csv", "gzip", options() + zipped(b"1,2,0\n3,4,1\n"))
    write("csv", "quoted_line_end", options() + b"1,2,\"a\nb\"\n3,4,\"c\"\n")
    write("csv", "long_numbers", options() + b"0.1000000014901161193847656250001,1e-46,0\n16777217,3.4028235677973366e38,1\n")
    write("csv", "nan", options() + b"1,nan,0\n")
    write("csv", "infinite", options() + b"1,1e39,0\n")
    write("csv", "ragged", options() + b"1,2,0\n3,4\n")
    write("csv", "open_quote", options() + b"1,\"2,0\n")
    write("csv", "zero_byte", options() + b"1,\0,0\n")
    write("csv", "blank", options() + b"\n \r\n\n")


make_idx()
make_npy()
make_csv()
