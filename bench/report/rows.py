"""What docs/benchmarks.md holds against a bound: one row a figure.

A row compares figures, each "PROGRAMS:NAME" or "PROGRAMS:NAME@KEY" of the JSON; PROGRAMS may be patterns with |
between, of which the fastest counts. Kinds:

    ratio       seconds of the first over seconds of the second
    share       the first's rate as a share of its peak; beside it, without a bound, the rates of the second's programs
    over_ideal  the time that the first takes over the time that its operations need at the peak
    value       the first alone
    difference  the first less the second
"""
from __future__ import annotations

from dataclasses import dataclass

from commands import EPOCHS, QAT_EPOCHS


@dataclass(frozen=True)
class Row:
    what: str
    kind: str
    first: str
    second: str = ""
    wanted: str = ""  # ">= 0.85", "<= 0.6"; none: without a bound


SMALL, MIDDLE, LARGE = NETWORKS = ("784-256-128-10/b64", "784-512-512-10/b128", "784-1024-1024-1024-10/b256")
FORMS = {"fp32": "FP32", "w8a8": "QAT"}
TORCH, ORT = "pytorch-*|torchao-*", "onnxruntime*"
CUBE = "512x512x512"
F32_SHAPES = ("128x512x784/nt", "512x784x128/tn", "784x512x128/tn", f"{CUBE}/nn", f"{CUBE}/nt", f"{CUBE}/tn")
INT8_SHAPES = ("252x256x784", "1024x1024x1024")
PROGRAM = "infer/784-256-128-10"
PLACES = {"memory": "out of cache", "l2": "in L2", "l1": "in L1"}
QUANTIZING = ("quantize_u8", "quantize_i8", "dequantize_u8", "dequantize_i8", "min_max")


def share(what: str, name: str, wanted: str, beside: str = "") -> Row:
    return Row(what, "share", f"rung:{name}", f"{beside}:{name}" if beside else "", wanted)


def over(what: str, name: str, beside: str, wanted: str = "") -> Row:
    return Row(what, "ratio", f"rung:{name}", f"{beside}:{name}", wanted)


def qat_over_fp32(what: str, program: str, fp32_program: str, bounds: tuple[str, str, str]) -> list[Row]:
    """Of the three networks."""
    rows = []
    for network, wanted in zip(NETWORKS, bounds):
        qat, fp32 = f"{program}:train/{network}/w8a8", f"{fp32_program}:train/{network}/fp32"
        rows.append(Row(f"{what}, {network}", "ratio", qat, fp32, wanted))
    return rows


def over_peer(what: str, form: str, peer: str, bounds: tuple[str, str, str]) -> list[Row]:
    return [
        over(f"{what}, {network}", f"train/{network}/{form}", peer, wanted) for network, wanted in zip(NETWORKS, bounds)
    ]


def two_threads(network: str, form: str, wanted: str) -> list[Row]:
    name, what = f"rung:train/{network}/{form}", f"{FORMS[form]}, {network}"
    return [
        Row(f"{what}: 1 thread over 2", "ratio", name, f"{name}/t2", wanted),
        Row(f"{what}: the same bits (1: yes)", "value", f"{name}/t2@same_bits", wanted=">= 1"),
    ]


def int8_product(shape: str) -> list[Row]:
    ours = f"gemm/int8/{shape}/requantize"
    bare = f"onednn:gemm/int8/{shape}/bare"
    return [
        share(f"int8 {shape} with requantize, of the int8 peak", ours, ">= 0.90", "onednn"),
        Row(f"int8 {shape}, oneDNN's bare product over ours with requantize", "ratio", bare, f"rung:{ours}", ">= 1"),
    ]


# (heading, rows)
SECTIONS: list[tuple[str, list[Row]]] = [
    ("Matrix products", [
        *(share(f"f32 {shape}, of the FMA peak", f"gemm/f32/{shape}", ">= 0.85", "onednn|openblas")
          for shape in F32_SHAPES),
        *(row for shape in INT8_SHAPES for row in int8_product(shape)),
    ]),
    ("The training step", [
        share(f"FP32, {MIDDLE}, of the FMA peak, the flops of its products", f"train/{MIDDLE}/fp32", ">= 0.75"),
        *qat_over_fp32("QAT over FP32", "rung", "rung", ("<= 0.72",) * 3),
        *qat_over_fp32("QAT with BF16 backward over FP32", "rung-bf16", "rung", ("<= 0.55",) * 3),
        *qat_over_fp32("QAT with INT8 backward over FP32", "rung-int8", "rung", ("", "<= 0.45", "<= 0.45")),
        *qat_over_fp32("QAT over FP32 on AVX2 (`RUNG_CPU=v3`)", "rung-v3", "rung-v3", ("<= 0.95",) * 3),
        Row(f"FP32 epoch, {SMALL}, over the time of its products at the FMA peak", "over_ideal",
            f"rung:train/{SMALL}/fp32", wanted="<= 1.3"),
        *over_peer("FP32 epoch over PyTorch's best", "fp32", TORCH, ("<= 0.6", "", "")),
        *over_peer("QAT epoch over PyTorch's best QAT", "w8a8", TORCH, ("<= 0.15", "", "")),
        *over_peer("QAT epoch over PyTorch's eager QAT, per channel as ours", "w8a8", "pytorch-eager", ("",) * 3),
        *over_peer("FP32 over plain C", "fp32", "plain-c", ("",) * 3)[:2],
    ]),
    ("Two threads", [
        row for network, wanted in ((MIDDLE, ">= 1.8"), (SMALL, ">= 1.6")) for form in FORMS
        for row in two_threads(network, form, wanted)
    ]),
    ("The integer program, 784-256-128-10", [
        share("batch 256, of the int8 peak", f"{PROGRAM}/b256/w8a8", ">= 0.80"),
        over("batch 256 over ONNX Runtime's best", f"{PROGRAM}/b256/w8a8", ORT, "<= 0.75"),
        over("batch 64 over ONNX Runtime's best", f"{PROGRAM}/b64/w8a8", ORT),
        over("batch 1 over ONNX Runtime's best", f"{PROGRAM}/b1/w8a8", ORT, "<= 0.2"),
        over("batch 256 over PyTorch's int8", f"{PROGRAM}/b256/w8a8", "pytorch"),
        Row("batch 256, our FP32 over int8", "ratio", f"rung:{PROGRAM}/b256/fp32", f"rung:{PROGRAM}/b256/w8a8", ">= 3"),
        over("batch 256, FP32 over ONNX Runtime's FP32", f"{PROGRAM}/b256/fp32", ORT),
    ]),
    ("Quantizing, bytes a second as a share of a copy's", [
        share(f"{work}, {place}", f"quantize/{key}/{work}", ">= 0.80" if key == "memory" else "")
        for key, place in PLACES.items() for work in QUANTIZING
    ]),
    (f"From nothing to a frozen W8A8 model of 98.0 %: {EPOCHS} epochs of FP32 training, {QAT_EPOCHS} of QAT", [
        over("seconds, ours over PyTorch's", "goal", "pytorch"),
        Row("accuracy of the int8 model, ours", "value", "rung:goal@accuracy", wanted=">= 0.98"),
        Row("accuracy of the int8 model, PyTorch's", "value", "pytorch:goal@accuracy", wanted=">= 0.98"),
        Row("peak memory of it, MB, ours", "value", "rung:goal@rss_mb", wanted="<= 100"),
        Row("peak memory of it, MB, PyTorch's", "value", "pytorch:goal@rss_mb"),
    ]),
    ("Accuracy in QAT of a cheaper backward pass, percent, mean of 5 seeds", [
        Row(f"FP32 backward less {kind.upper()} backward", "difference", "rung:accuracy/f32@percent",
            f"rung:accuracy/{kind}@percent", "<= 0.05") for kind in ("bf16", "int8")
    ]),
]
