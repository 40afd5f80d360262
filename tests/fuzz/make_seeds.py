"""Makes seeds/NAME: small files, good and bad, from which the fuzzers of idx, npy, csv, safetensors and onnx set out.

Needs numpy and onnx. Files that a fuzzer found (named by their hash) are not made here and stay."""
import gzip
import io
import json
import pathlib
import struct

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

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


def safetensors(header, data=b"", pad=8):
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % pad)
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors():
    def entry(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    good = {"__metadata__": {"format": "pt", "text": "linear 2"}, "a": entry("F32", [2, 1], 0, 8), "b": entry("I8", [3], 8, 11)}
    data = bytes(range(11))
    write("safetensors", "good", safetensors(good, data))
    write("safetensors", "empty", safetensors({}))
    for name, size in dict(F64=8, F32=4, F16=2, BF16=2, F8_E4M3=1, F8_E5M2=1, I64=8, I32=4, I16=2, I8=1, U8=1, BOOL=1).items():
        write("safetensors", name.lower(), safetensors({"x": entry(name, [2], 0, 2 * size)}, bytes(2 * size)))
    write("safetensors", "scalar", safetensors({"x": entry("F32", [], 0, 4)}, bytes(4)))
    write("safetensors", "zero_extent", safetensors({"x": entry("F32", [0, 3], 0, 0)}))
    write("safetensors", "rank_7", safetensors({"x": entry("U8", [1] * 7, 0, 1)}, b"x"))
    write("safetensors", "hole", safetensors({"x": entry("U8", [1], 1, 2)}, b"xy"))
    write("safetensors", "overlap", safetensors({"x": entry("U8", [2], 0, 2), "y": entry("U8", [2], 1, 3)}, b"xyz"))
    write("safetensors", "beyond", safetensors({"x": entry("U8", [2**40], 0, 2**40)}, b"xy"))
    write("safetensors", "wrapped", safetensors({"x": entry("F32", [2**62, 4], 0, 0)}))
    write("safetensors", "fraction", safetensors('{"x":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1e0]}}', b"x"))
    write("safetensors", "twice", safetensors('{"x":%s,"x":%s}' % ((json.dumps(entry("U8", [1], 0, 1)),) * 2), b"x"))
    write("safetensors", "escapes", safetensors({"\u00e9\n\"\U0001F600": entry("U8", [1], 0, 1)}, b"x"))
    write("safetensors", "deep", safetensors("[" * 300))
    write("safetensors", "not_utf8", struct.pack("<Q", 8) + b'{"\xff":1}')
    write("safetensors", "long_length", struct.pack("<Q", 2**63) + b"{}")
    write("safetensors", "short", safetensors(good, data)[:-1])


def onnx_model(nodes, inputs, tensors, opset=13):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in tensors.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()


def make_onnx():
    rng = numpy.random.default_rng(1)

    def real(*shape):
        return rng.standard_normal(shape).astype("f4")

    node = helper.make_node
    mlp = dict(w1=real(3, 4), b1=real(3), w2=real(2, 3), b2=real(2))
    gemm_1, gemm_2 = node("Gemm", ["x", "w1", "b1"], ["h"], transB=1), node("Gemm", ["a", "w2", "b2"], ["y"], transB=1)
    for kind in ["Relu", "Sigmoid", "Tanh", "Identity", "Softmax"]:
        write("onnx", kind.lower(), onnx_model([gemm_1, node(kind, ["h"], ["a"]), gemm_2], dict(x=[4]), mlp))
    write("onnx", "softmax_last", onnx_model([node("Gemm", ["x", "w1", "b1"], ["h"], transB=1), node("Softmax", ["h"], ["y"], axis=-1)], dict(x=[4]), mlp))
    write("onnx", "clip", onnx_model([gemm_1, node("Clip", ["h", "lo", "hi"], ["a"]), gemm_2], dict(x=[4]), dict(mlp, lo=numpy.float32(0), hi=numpy.float32(6))))
    write("onnx", "matmul_add", onnx_model([node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])], dict(x=[4]), dict(w=real(4, 3), b=real(3))))
    write("onnx", "batch_norm", onnx_model([gemm_1, node("BatchNormalization", ["h", "s", "t", "m", "v"], ["a"]), gemm_2], dict(x=[4]), dict(mlp, s=real(3), t=real(3), m=real(3), v=abs(real(3)))))
    write("onnx", "flatten_dropout", onnx_model([node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w1", "b1"], ["h"], transB=1), node("Dropout", ["h", "p"], ["a"]), gemm_2], dict(x=[2, 2]), dict(mlp, p=numpy.float32(0.25))))
    write("onnx", "reshape", onnx_model([node("Reshape", ["x", "s"], ["f"]), node("Gemm", ["f", "w1", "b1"], ["y"], transB=1)], dict(x=[2, 2]), dict(mlp, s=numpy.array([-1, 4]))))
    write("onnx", "residual", onnx_model([gemm_1, node("Relu", ["h"], ["r"]), node("Add", ["h", "r"], ["a"]), gemm_2], dict(x=[4]), mlp))
    write("onnx", "constant", onnx_model([node("Constant", [], ["w"], value=numpy_helper.from_array(real(4, 2))), node("MatMul", ["x", "w"], ["y"])], dict(x=[4]), {}))
    write("onnx", "gelu_erf", onnx_model([gemm_1, node("Div", ["h", "c"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "one"], ["f"]), node("Mul", ["h", "f"], ["g"]), node("Mul", ["g", "half"], ["a"]), gemm_2], dict(x=[4]), dict(mlp, c=numpy.float32(2**0.5), one=numpy.float32(1), half=numpy.float32(0.5))))
    write("onnx", "float_types", onnx_model([node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])], dict(x=[4]), dict(w=real(4, 3).astype("f8"), b=real(3).astype("f2"))))
    write("onnx", "conv", onnx_model([node("Conv", ["x", "w"], ["y"])], dict(x=[1, 4, 4]), dict(w=real(1, 1, 3, 3))))
    write("onnx", "large_input", onnx_model([node("Relu", ["x"], ["y"])], dict(x=[2**31]), {}))
    write("onnx", "large_extents", onnx_model([node("Relu", ["x"], ["y"])], dict(x=[2**62, 2**62]), {}))
    q = dict(sx=numpy.float32(0.1), zx=numpy.uint8(3), sw=numpy.array([0.1, 0.2, 0.3], "f4"), zw=numpy.zeros(3, "i1"), sy=numpy.float32(0.5), zy=numpy.uint8(128),
             w=rng.integers(-127, 128, (3, 4)).astype("i1"), b=numpy.array([1, -2, 3], "i4"), sb=numpy.array([0.01, 0.02, 0.03], "f4"), zb=numpy.zeros(3, "i4"))
    qdq = [node("QuantizeLinear", ["x", "sx", "zx"], ["qx"]), node("DequantizeLinear", ["qx", "sx", "zx"], ["dx"]),
           node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=0), node("DequantizeLinear", ["b", "sb", "zb"], ["db"], axis=0),
           node("Gemm", ["dx", "dw", "db"], ["h"], transB=1), node("QuantizeLinear", ["h", "sy", "zy"], ["qy"]), node("DequantizeLinear", ["qy", "sy", "zy"], ["y"])]
    write("onnx", "qdq", onnx_model(qdq, dict(x=[4]), q))
    good = onnx_model([gemm_1, node("Relu", ["h"], ["a"]), gemm_2], dict(x=[4]), mlp)
    write("onnx", "short", good[:-3])
    write("onnx", "empty", b"")


make_idx()
make_npy()
make_csv()
make_safetensors()
make_onnx()
