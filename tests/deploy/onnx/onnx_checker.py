"""Every file passes ONNX's own checker, types and shapes inferred too; and is what the header promises.
usage: onnx_checker.py FOLDER"""
from __future__ import annotations

import pathlib
import sys

import onnx

FORMATS = {13: 7, 20: 9, 21: 10}  # opset: version of the file format that came with it


def check(path: pathlib.Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    opset, = model.opset_import
    assert opset.domain == "" and model.ir_version == FORMATS[opset.version], path
    assert model.producer_name == "rung" and model.producer_version, path
    image, = model.graph.input
    shape = image.type.tensor_type.shape.dim
    assert image.name == "image" and image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT, path
    assert shape[0].dim_param == "batch" and [d.dim_value for d in shape[1:]] == [28, 28], path
    for output in model.graph.output:
        assert output.type.tensor_type.shape.dim[0].dim_param == "batch", path
    names = [output.name for output in model.graph.output]
    assert names[0] == "logits" and (len(names) > 1) == path.name.endswith(".trace.onnx"), path
    nodes = " ".join(node.op_type for node in model.graph.node)
    print(f"{path.name}: opset {opset.version}, {path.stat().st_size} bytes: {nodes}")


def main() -> None:
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    assert paths, "no files"
    for path in paths:
        check(path)


main()
