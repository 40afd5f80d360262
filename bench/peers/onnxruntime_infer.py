"""Inference on ONNX Runtime: the FP32 model, and QDQ models of u8 pixels and activations with weights of several kinds.
usage: onnxruntime_infer.py [--seconds S]"""
from __future__ import annotations

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import peer

# Peer's name, type of the weights, their largest code, a scale a channel?
QUANTIZED = (
    ("onnxruntime", numpy.int8, 127, True),
    ("onnxruntime-7-bit-weights", numpy.int8, 63, True),
    ("onnxruntime-per-tensor", numpy.int8, 127, False),
    ("onnxruntime-u8-weights", numpy.uint8, 127, False),
)


class Builder:
    """A model that grows node by node; of the shape that ONNX Runtime's own quantizer writes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(value, dtype), name))
        return name

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def model(self, output: str, input_type: int, outputs: int) -> bytes:
        graph = helper.make_graph(
            self.nodes, "mlp", [helper.make_tensor_value_info("x", input_type, ["n", 784])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", outputs])], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def fp32_model(network: str) -> bytes:
    random = numpy.random.default_rng(1)
    model, x = Builder(), "x"
    for index, (inputs, outputs) in enumerate(peer.layers(network)):
        weights = random.standard_normal((outputs, inputs)) / inputs**0.5
        weights = model.constant(weights, numpy.float32)
        x = model.node("Gemm", [x, weights, model.constant(numpy.zeros(outputs), numpy.float32)], transB=1)
        if index < len(peer.layers(network)) - 1:
            x = model.node("Relu", [x])
    return model.model(x, TensorProto.FLOAT, outputs)


def quantized_model(network: str, weight_type: type, largest: int, per_channel: bool) -> bytes:
    """Pixels are u8, a step 1/255; activations u8, a step 0.05, so that ReLU is the clamp of zero point 0."""
    random = numpy.random.default_rng(1)
    model, step, last = Builder(), 1 / 255, len(peer.layers(network)) - 1

    def scaled(op: str, x: str, scale: object, zero: object, zero_type: type, **axis: int) -> str:
        return model.node(op, [x, model.constant(scale, numpy.float32), model.constant(zero, zero_type)], **axis)

    x = scaled("DequantizeLinear", "x", step, 0, numpy.uint8)
    for index, (inputs, outputs) in enumerate(peer.layers(network)):
        shift = 128 if weight_type is numpy.uint8 else 0
        codes = random.integers(-largest, largest + 1, (outputs, inputs)) + shift
        scale = numpy.full(outputs if per_channel else (), inputs**-0.5 / largest)
        zero = numpy.full_like(scale, shift)
        axis = {"axis": 0} if per_channel else {}
        weights = scaled("DequantizeLinear", model.constant(codes, weight_type), scale, zero, weight_type, **axis)
        bias = model.constant(numpy.zeros(outputs), numpy.int32)
        bias = scaled("DequantizeLinear", bias, scale * step, zero * 0, numpy.int32, **axis)
        x = model.node("Gemm", [x, weights, bias], transB=1)
        if index < last:
            x = model.node("Relu", [x])
        step, point = 0.05, 0 if index < last else 128
        x = scaled("QuantizeLinear", x, step, point, numpy.uint8)
        x = scaled("DequantizeLinear", x, step, point, numpy.uint8)
    return model.model(x, TensorProto.UINT8, outputs)


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])


def main() -> None:
    options = peer.options(__doc__).parse_args()
    random = numpy.random.default_rng(2)
    results: list[dict[str, object]] = []
    for network in peer.INFERENCE_NETWORKS:
        runs = [("onnxruntime", "fp32", numpy.float32, session(fp32_model(network), options.threads))]
        for name, *weights in QUANTIZED:
            runs.append((name, "w8a8", numpy.uint8, session(quantized_model(network, *weights), options.threads)))
        for name, kind, input_type, run in runs:
            for batch in peer.INFERENCE_BATCHES:
                pixels = random.integers(0, 256, (batch, 784)).astype(input_type)
                binding = run.io_binding()  # no copies, and less of Python than run() takes
                binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(pixels))
                logits = onnxruntime.OrtValue.ortvalue_from_shape_and_type((batch, 10), numpy.float32)
                binding.bind_ortvalue_output(run.get_outputs()[0].name, logits)
                time = peer.measure(lambda: run.run_with_iobinding(binding), options.seconds)
                results.append(peer.per_picture(name, network, batch, kind, time))
    peer.report("infer", f"ONNX Runtime {onnxruntime.__version__}", options.threads, results)


if __name__ == "__main__":
    main()
