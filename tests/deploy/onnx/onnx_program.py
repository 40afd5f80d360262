"""ONNX Runtime on a program's file beside the program, with the runtime's optimizer off and on.
usage: onnx_program.py FOLDER CASE [--pictures N] [--largest-step N] [--joined]

Each layer's exact sum is computed here from the integers that go into it, once from ONNX Runtime's and once from the
program's. Each of the two must put out the integer that is nearest to sum * s_x s_w / s_y; ONNX Runtime, which rounds
in f32, may miss it where that product lies next to a half, within the rounding error of an f32 sum. So what differs are
such ties, and what later layers make of them."""
from __future__ import annotations

import argparse
import dataclasses
import pathlib
import tempfile

import numpy
import onnx
from onnx import numpy_helper

from onnx_folder import load_case, session

LEAST_AGREEMENT = 0.9998  # of the largest logit
F32 = 2.0**-24  # rounding error of an f32 operation, relative
EXACT = 2.0**-28  # of Rung's multiplier of 31 bits, and of what is computed here, relative to the sum of magnitudes


@dataclasses.dataclass
class Layer:
    """What the file says of a Gemm, its input and its output."""
    name: str
    input_scale: float
    input_zero_point: int
    weight: numpy.ndarray  # [out, in], integers
    weight_scale: numpy.ndarray  # [out, in]
    bias: numpy.ndarray  # [out], real
    output_scale: float = 1
    output_zero_point: int = 0
    range: tuple[int, int] | None = None  # None: logits


class Graph:
    """Looks up who computes what."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = model.graph.node
        self.maker = {node.output[0]: node for node in self.nodes}
        self.constant = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def reader(self, value: str, *ops: str) -> onnx.NodeProto | None:
        return next((node for node in self.nodes if value in node.input and node.op_type in ops), None)

    def floats(self, name: str) -> numpy.ndarray:
        return self.constant[name].astype(numpy.float64)


def each_weight_scale(graph: Graph, node: onnx.NodeProto, shape: tuple[int, int]) -> numpy.ndarray:
    """[out, in] from a scale a channel, or a block of one."""
    block = next((a.i for a in node.attribute if a.name == "block_size"), shape[1])
    scale = graph.floats(node.input[1]).reshape(shape[0], -1)
    return numpy.repeat(scale, block, axis=1)[:, :shape[1]]


def read_bias(graph: Graph, name: str, sum_scale: numpy.ndarray) -> numpy.ndarray:
    """Integers count at the exact scale of the sum; the file's is its f32 rounding."""
    if name in graph.constant:
        return graph.floats(name)
    node = graph.maker[name]
    assert graph.constant[node.input[0]].dtype == numpy.int32 and not graph.constant[node.input[2]].any()
    assert numpy.allclose(graph.floats(node.input[1]), sum_scale, rtol=1e-7, atol=0)
    return graph.floats(node.input[0]) * sum_scale


def read_layer(graph: Graph, gemm: onnx.NodeProto) -> Layer:
    x, w = graph.maker[gemm.input[0]], graph.maker[gemm.input[1]]
    weight = graph.constant[w.input[0]].astype(numpy.float64)
    assert not graph.constant[w.input[2]].astype(numpy.int64).any()
    scale = each_weight_scale(graph, w, weight.shape)
    input_scale = float(graph.floats(x.input[1]))
    layer = Layer(gemm.output[0], input_scale, int(graph.constant[x.input[2]]), weight, scale,
                  read_bias(graph, gemm.input[2], input_scale * scale[:, 0]))
    relu = graph.reader(gemm.output[0], "Relu")
    quantize = graph.reader(relu.output[0] if relu else gemm.output[0], "QuantizeLinear")
    if quantize is None:
        return layer
    zero_point = graph.constant[quantize.input[2]]
    clip = graph.reader(quantize.output[0], "Clip")
    limits = numpy.iinfo(zero_point.dtype)
    low, high = (int(graph.constant[i]) for i in clip.input[1:]) if clip else (limits.min, limits.max)
    layer.name = (clip or quantize).output[0]
    layer.output_scale, layer.output_zero_point = float(graph.floats(quantize.input[1])), int(zero_point)
    layer.range = max(low, int(zero_point)) if relu else low, high
    return layer


def exact(layer: Layer, q: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The layer's sums in steps of its output, and the sums of their terms' magnitudes. The products are exact."""
    x = q.astype(numpy.float64) - layer.input_zero_point
    step = layer.input_scale * layer.weight_scale / layer.output_scale
    bias, sums, magnitudes = layer.bias / layer.output_scale, 0, 0
    for begin, end in blocks(layer.weight_scale):
        w, scale = layer.weight[:, begin:end].T, step[:, begin]
        sums = sums + (x[:, begin:end] @ w) * scale
        magnitudes = magnitudes + (abs(x[:, begin:end]) @ abs(w)) * scale
    return sums + bias, magnitudes + abs(bias)


def blocks(scale: numpy.ndarray) -> list[tuple[int, int]]:
    """The runs of inputs that share each channel's scale."""
    inputs = scale.shape[1]
    cuts = [0, *(i for i in range(1, inputs) if (scale[:, i] != scale[:, i - 1]).any()), inputs]
    return list(zip(cuts, cuts[1:]))


@dataclasses.dataclass
class Sums:
    """What a layer should put out for the inputs q, in steps of its output, before it is rounded."""
    q: numpy.ndarray
    sums: numpy.ndarray
    magnitudes: numpy.ndarray

    def of(self, layer: Layer, q: numpy.ndarray) -> Sums:
        """The same for other inputs, of which few differ."""
        rows = (q != self.q).any(axis=1)
        other = Sums(q, self.sums.copy(), self.magnitudes.copy())
        other.sums[rows], other.magnitudes[rows] = exact(layer, q[rows])
        return other


@dataclasses.dataclass
class Rounding:
    missed: numpy.ndarray  # bool: not the nearest integer
    furthest: float  # of those, from a half


def check_rounding(layer: Layer, at: Sums, output: numpy.ndarray, error: float, who: str) -> Rounding:
    """Every output is the nearest integer, or next to a half that lies within `error` of the sum of magnitudes."""
    low, high = layer.range
    nearest = numpy.clip(numpy.rint(at.sums) + layer.output_zero_point, low, high)
    missed = nearest != output
    sums = at.sums[missed]
    distance = abs(sums - numpy.floor(sums) - 0.5)
    far = distance > error * at.magnitudes[missed]
    assert not far.any(), f"{layer.name}: {far.sum()} integers of {who} are no rounding of their sums"
    assert abs(nearest - output).max() <= 1, f"{layer.name}: {who} is off by more than a step"
    return Rounding(missed, distance.max(initial=0))


def check_logits(at: Sums, logits: numpy.ndarray, error: float, step: float, who: str) -> None:
    """`step`: logits are integers of that scale."""
    far = abs(logits - at.sums) > error * at.magnitudes + step / 2
    assert not far.any(), f"{far.sum()} logits of {who} are not their sums"


@dataclasses.dataclass
class Program:
    """What Rung computed, and each layer's exact sums and where the program's rounding misses the nearest."""
    computed: dict[str, numpy.ndarray]
    sums: list[Sums]
    missed: list[numpy.ndarray]


def check_program(layers: list[Layer], computed: dict) -> Program:
    program = Program(computed, [], [])
    q = computed["image.quantized"]
    for layer in layers:
        program.sums.append(Sums(q, *exact(layer, q)))
        if layer.range is not None:
            q = computed[layer.name]
            program.missed.append(check_rounding(layer, program.sums[-1], q, EXACT, "the program").missed)
    step = float(computed["logit_scale"][0])
    check_logits(program.sums[-1], computed["logits"] * step, EXACT, step, "the program")
    return program


def run_all(path: pathlib.Path, pictures: numpy.ndarray, optimized: bool) -> dict[str, numpy.ndarray]:
    """Every layer's integers, those of the input too, and the logits."""
    model = onnx.load(path)
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    quantized = next(value for value in inferred if value.name == "image.quantized")
    model.graph.output.append(quantized)
    run = session(model, optimized)
    return dict(zip([o.name for o in run.get_outputs()], run.run(None, {"image": pictures})))


def f32_error(layer: Layer) -> float:
    """Of a sum of in + 1 products in f32, in any order, and what is done to it; relative to the sum of magnitudes."""
    return F32 * (layer.weight.shape[1] + 4)


def check_input(layer: Layer, pictures: numpy.ndarray, theirs: numpy.ndarray, ours: numpy.ndarray) -> int:
    """ONNX Runtime divides by the scale, Rung multiplies by its inverse: next to a half they may part. How many?"""
    apart = theirs != ours
    steps = (pictures.reshape(len(pictures), -1) / layer.input_scale)[apart]
    distance = abs(steps - numpy.floor(steps) - 0.5)
    assert (distance <= 2 * F32 * (abs(steps) + 1)).all(), "inputs differ and are no ties"
    return apart.sum()


@dataclasses.dataclass
class Difference:
    activations: int = 0
    differ: int = 0
    ties: int = 0  # of those, on equal inputs
    furthest: float = 0  # of all that is no nearest integer, from a half
    step: int = 0  # the largest difference


def compare_layers(layers: list[Layer], theirs: dict, program: Program) -> Difference:
    """Raises where ONNX Runtime is not right, or where the two differ on equal inputs and neither is at a tie."""
    found = Difference()
    q = theirs["image.quantized"]
    for layer, sums, missed in zip(layers, program.sums, program.missed):
        y, z = theirs[layer.name], program.computed[layer.name]
        runtime = check_rounding(layer, sums.of(layer, q), y, f32_error(layer), "ONNX Runtime")
        apart = y != z
        direct = apart & (q == sums.q).all(axis=1)[:, None]
        assert not (direct & ~runtime.missed & ~missed).any(), f"{layer.name}: integers differ and are no ties"
        found.activations, found.differ = found.activations + y.size, found.differ + apart.sum()
        found.ties += direct.sum()
        found.furthest = max(found.furthest, runtime.furthest)
        found.step = max(found.step, abs(y.astype(int) - z.astype(int)).max())
        q = y
    check_logits(program.sums[-1].of(layers[-1], q), theirs["logits"], f32_error(layers[-1]), 0, "ONNX Runtime")
    return found


def check_agreement(theirs: numpy.ndarray, ours: numpy.ndarray) -> str:
    """Where several of the program's logits are the largest, each is right. With few pictures one may differ."""
    chosen = numpy.take_along_axis(ours, theirs.argmax(axis=1)[:, None], axis=1)[:, 0]
    other = theirs.argmax(axis=1) != ours.argmax(axis=1)
    disagree = (chosen < ours.max(axis=1)).sum()
    most = max(1, round((1 - LEAST_AGREEMENT) * len(ours)))
    assert disagree <= most, f"top-1 differs on {disagree} of {len(ours)} pictures, expected {most} at most"
    return f"top-1 differs on {disagree} of {len(ours)} pictures, and on {other.sum() - disagree} with equal logits"


def check_joined(path: pathlib.Path) -> None:
    """ONNX Runtime finds an integer product in every layer."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = pathlib.Path(folder) / "optimized.onnx"
        session(onnx.load(path), True, optimized)
        products = [node.op_type for node in onnx.load(optimized).graph.node if "Gemm" in node.op_type]
    assert products and set(products) == {"QGemm"}, f"{path.name}: {products}, expected QGemm"


def compare(case: pathlib.Path, pictures: numpy.ndarray, layers: list[Layer], program: Program, optimized: bool,
            largest_step: int) -> str:
    ours = program.computed
    theirs = run_all(case.with_name(f"{case.name}.trace.onnx"), pictures, optimized)
    inputs = check_input(layers[0], pictures, theirs["image.quantized"], ours["image.quantized"])
    found = compare_layers(layers, theirs, program)
    assert found.step <= largest_step, f"{case.name}: {found.step} steps apart, expected {largest_step} at most"
    plain, = session(onnx.load(case.with_name(f"{case.name}.onnx")), optimized).run(None, {"image": pictures})
    check_agreement(plain, ours["logits"])
    return (f"{found.differ} of {found.activations} activations differ, by {found.step} at most; {found.ties} are ties "
            f"on equal inputs, the furthest {found.furthest:.1e} steps from a half; {inputs} inputs differ; "
            f"{check_agreement(theirs['logits'], ours['logits'])}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("case")
    parser.add_argument("--pictures", type=int, help="the first so many; default: all")
    parser.add_argument("--largest-step", type=int, default=1)
    parser.add_argument("--joined", action="store_true", help="the optimizer makes an integer product of every layer")
    options = parser.parse_args()
    case = options.folder / options.case
    pictures, computed = load_case(options.folder, options.case, options.pictures)
    graph = Graph(onnx.load(f"{case}.trace.onnx"))
    layers = [read_layer(graph, node) for node in graph.nodes if node.op_type == "Gemm"]
    assert len(layers) > 2 and layers[-1].range is None
    program = check_program(layers, computed)
    for optimized in (False, True):
        found = compare(case, pictures, layers, program, optimized, options.largest_step)
        print(f"{options.case}, optimizer {'on' if optimized else 'off'}: {found}")
    if options.joined:
        check_joined(case.with_name(f"{case.name}.onnx"))


main()
