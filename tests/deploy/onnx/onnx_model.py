"""ONNX Runtime on a float model's file: Rung's FP32 logits, within 1e-5 of the largest of each picture.
usage: onnx_model.py FOLDER CASE"""
from __future__ import annotations

import pathlib
import sys

import numpy
import onnx

from onnx_folder import load_case, session

LARGEST_ERROR = 1e-5


def main() -> None:
    folder, case = pathlib.Path(sys.argv[1]), sys.argv[2]
    pictures, ours = load_case(folder, case)
    for optimized in (False, True):
        logits, = session(onnx.load(folder / f"{case}.onnx"), optimized).run(None, {"image": pictures})
        error = (abs(logits - ours["logits"]).max(axis=1) / abs(ours["logits"]).max(axis=1)).max()
        print(f"{case}, optimizer {'on' if optimized else 'off'}: largest error {error:.1e} of the largest logit")
        assert error <= LARGEST_ERROR, f"{case}: expected {LARGEST_ERROR} at most"


main()
