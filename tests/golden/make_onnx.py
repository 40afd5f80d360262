"""Makes onnx/: networks that PyTorch's two exporters wrote, and ONNX Runtime's quantizer, each with what it computes.

    NAME.onnx         as exported, without the exporter's notes on where the code stood
    NAME.onnx.data    its larger tensors, where the newer exporter was left to its defaults
    NAME.bin          f32: inputs [EXAMPLES, ...], then the logits that PyTorch gives for them [EXAMPLES, outputs]
    NAME.safetensors  the module's state_dict, of the networks that were exported in several ways: once

PyTorch, ONNX, ONNX Runtime, ONNX Script, safetensors and NumPy are needed; run from anywhere."""

import pathlib
import tempfile
import warnings

import numpy
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from safetensors.torch import save_file
from torch import nn

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent / "onnx"
EXAMPLES = 32


class View(nn.Module):
    """Flattens by the size of the batch; a product without a bias; GELU."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 12)
        self.fc2 = nn.Linear(12, 8, bias=False)
        self.fc3 = nn.Linear(8, 4)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        return self.fc3(torch.relu(self.fc2(nn.functional.gelu(self.fc1(x)))))


class Residual(nn.Module):
    """A sum of two activations, a product and a sum spelled out, and a learned offset."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 16)
        self.w = nn.Parameter(torch.randn(16, 4) / 4)
        self.b = nn.Parameter(torch.randn(4))
        self.offset = nn.Parameter(torch.randn(16))

    def forward(self, x):
        x = torch.flatten(x, 1)
        return (torch.relu(self.fc1(x)) + x + self.offset) @ self.w + self.b


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))


NETWORKS = {
    "mlp": mlp,
    "kinds": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(16, 12), nn.ReLU6(), nn.Linear(12, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Tanh(),
        nn.Linear(8, 8), nn.Hardtanh(0, 6), nn.Identity(), nn.Linear(8, 4), nn.Softmax(-1)),
    "norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12, eps=1e-3), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(12, 8, bias=False), nn.BatchNorm1d(8, momentum=0.2), nn.ReLU(), nn.Linear(8, 4), nn.LogSoftmax(1)),
    "view": View,
    "residual": Residual,
}
WAYS = {"legacy13": (False, 13), "legacy20": (False, 20), "dynamo18": (True, 18), "dynamo20": (True, 20)}


def examples():
    return torch.rand(EXAMPLES, 1, 4, 4) * 2 - 0.5


def strip(message):
    """Without the notes on where the code stood."""
    for part in [message, message.graph, *message.graph.node, *message.graph.initializer, *message.graph.value_info,
                 *message.graph.input, *message.graph.output]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return message


def export(module, x, dynamo, opset, path, fixed=False):
    names = dict(input_names=["image"], output_names=["logits"], opset_version=opset, dynamo=dynamo)
    if not fixed and dynamo:
        names["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    if not fixed and not dynamo:
        names["dynamic_axes"] = {"image": {0: "batch"}}
    torch.onnx.export(module, (x,), path, **names, **(dict(external_data=False, verbose=False) if dynamo else {}))
    onnx.save(strip(onnx.load(path)), path)


def write_values(name, x, y):
    values = [x.detach().numpy().astype("<f4").tobytes(), y.detach().numpy().astype("<f4").tobytes()]
    (HERE / f"{name}.bin").write_bytes(b"".join(values))


def logits(module, x):
    """What stands before a softmax at the end."""
    layers = list(module) if isinstance(module, nn.Sequential) else [module]
    if isinstance(layers[-1], (nn.Softmax, nn.LogSoftmax)):
        layers = layers[:-1]
    return nn.Sequential(*layers)(x)


def make_float():
    for name, new in NETWORKS.items():
        module, x = new(), examples()
        module.train()
        with torch.no_grad():
            for _ in range(5):  # running statistics
                module(examples())
        module.eval()
        for way, (dynamo, opset) in WAYS.items():
            export(module, x, dynamo, opset, str(HERE / f"{name}_{way}.onnx"))
        write_values(name, x, logits(module, x))
        save_file(module.state_dict(), HERE / f"{name}.safetensors")


def make_variants():
    """The MLP once more: a batch of one, and other element types (whose values f32 holds)."""
    module, x = mlp().eval(), examples()
    export(module, x[:1], False, 13, str(HERE / "fixed.onnx"), fixed=True)
    write_values("fixed", x, module(x))
    for name, kind in {"half": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16,
                       "double": onnx.TensorProto.DOUBLE}.items():
        message = onnx.load(HERE / "fixed.onnx")
        rounded = mlp().eval()
        cast = {"half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64}[name]
        rounded.load_state_dict({key: value.to(cast).float() for key, value in module.state_dict().items()})
        for tensor in message.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, kind, values.shape, values.flatten()))
        message.graph.input[0].type.tensor_type.elem_type = kind
        onnx.save(message, HERE / f"{name}.onnx")
        write_values(name, x, rounded(x))


def make_external():
    """The newer exporter with no options: weights in a file of their own, and a batch of one."""
    torch.manual_seed(12)
    module, x = mlp().eval(), examples()
    path = HERE / "external.onnx"
    torch.onnx.export(module, (x[:1],), path, input_names=["image"], output_names=["logits"])
    onnx.save(strip(onnx.load(path, load_external_data=False)), path)
    write_values("external", x, module(x))


class Reader(CalibrationDataReader):
    def __init__(self, batches):
        self.batches = iter(batches)

    def get_next(self):
        return next(self.batches, None)


def last_product(path, x):
    """What the last Gemm gives, before ONNX Runtime's quantizer rounds the logits to 8 bits; node by node, in f32."""
    message = onnx.load(path)
    product = [node for node in message.graph.node if node.op_type in ("Gemm", "MatMul", "Add")][-1].output[0]
    del message.graph.output[:]
    message.graph.output.append(onnx.helper.make_tensor_value_info(product, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(message.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"image": x.numpy()})[0])


def make_quantized():
    module, x = mlp().eval(), examples()
    variants = {
        "qdq_channel": dict(per_channel=True),
        "qdq_tensor": dict(per_channel=False),
        "qdq_signed": dict(per_channel=True, activation_type=QuantType.QInt8),
        "qdq_asymmetric": dict(weight_type=QuantType.QUInt8),
        "qdq_matmul": dict(per_channel=True),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, options in variants.items():
            source = str(pathlib.Path(folder) / "float.onnx")
            network = Residual().eval() if name == "qdq_matmul" else module
            if name == "qdq_matmul":
                network = nn.Sequential(nn.Flatten(), nn.Linear(16, 12, bias=False), nn.ReLU(), nn.Linear(12, 4, bias=False)).eval()
            export(network, x, False, 17, source)
            options = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8} | options
            batches = [{"image": examples().numpy()} for _ in range(8)]
            quantize_static(source, HERE / f"{name}.onnx", Reader(batches), quant_format=QuantFormat.QDQ, **options)
            onnx.save(strip(onnx.load(HERE / f"{name}.onnx")), HERE / f"{name}.onnx")
            write_values(name, x, last_product(HERE / f"{name}.onnx", x))


if __name__ == "__main__":
    torch.manual_seed(11)
    numpy.random.seed(11)
    HERE.mkdir(exist_ok=True)
    make_float()
    make_variants()
    make_quantized()
    make_external()
