"""What onnx_files wrote: a folder of ONNX files, and what Rung computes."""
from __future__ import annotations

import json
import pathlib

import numpy
import onnx
import onnxruntime

TYPES = {"F32": numpy.float32, "I32": numpy.int32, "I8": numpy.int8, "U8": numpy.uint8}


def load_tensors(path: pathlib.Path) -> dict[str, numpy.ndarray]:
    """A safetensors file: the header's length (u64), a JSON header, the elements; little-endian."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:begin]).items():
        first, last = entry["data_offsets"]
        element = numpy.dtype(TYPES[entry["dtype"]]).newbyteorder("<")
        elements = numpy.frombuffer(data[begin + first:begin + last], element)
        tensors[name] = elements.reshape(entry["shape"])
    return tensors


def load_case(folder: pathlib.Path, case: str, count: int | None = None) -> tuple[numpy.ndarray, dict]:
    """The first `count` inputs as a file takes them, [n, 28, 28] f32, and what Rung computes of them, the input's
    integers "image.quantized" included."""
    computed = load_tensors(folder / f"{case}.safetensors")
    pictures = load_tensors(folder / "pictures.safetensors")["pictures"]
    count = count or len(pictures)
    computed = {name: tensor[:count] for name, tensor in computed.items()}
    if "image" in computed:
        return computed["image"], computed
    computed["image.quantized"] = pictures[:count].reshape(-1, 28 * 28)
    return pictures[:count].astype(numpy.float32) * numpy.float32(1 / 255), computed


def session(model: onnx.ModelProto, optimized: bool, keep: pathlib.Path | None = None) -> onnxruntime.InferenceSession:
    """ONNX Runtime's optimizer all on, or all off; `keep`: where it leaves the optimized model."""
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.log_severity_level = 3
    if keep:
        options.optimized_model_filepath = str(keep)
    # Without VNNI its product of u8 and i8 saturates at 16 bits, unless it is told not to.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
