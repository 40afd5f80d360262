"""A training step on PyTorch: FP32 and QAT, each eager and compiled.
usage: torch_train.py [--data FOLDER] [--seconds S] [--networks N,...]"""
from __future__ import annotations

import sys

import torch
from torch import nn

import peer
import torch_models as models


def fake_quantized(network: str) -> nn.Module:
    return models.fake_quantized(models.mlp(network))


def fake_quantized_per_tensor(network: str) -> nn.Module:
    return models.fake_quantized(models.mlp(network), per_tensor=True)


def torchao_fake_quantized(network: str) -> nn.Module:
    return models.torchao_fake_quantized(models.mlp(network))


# Peer's name, FP32 or the bits of QAT, the model of a network, torch.compile? Eager mode's fake quantization gains
# nothing from compiling: its observers stay as they are.
CASES = (
    ("pytorch-eager", "fp32", models.mlp, False),
    ("pytorch-compile", "fp32", models.mlp, True),
    ("pytorch-eager", "w8a8", fake_quantized, False),
    ("pytorch-eager-per-tensor", "w8a8", fake_quantized_per_tensor, False),
    ("torchao-eager", "w8a8", torchao_fake_quantized, False),
    ("torchao-compile", "w8a8", torchao_fake_quantized, True),
)


def main() -> None:
    parser = peer.options(__doc__)
    parser.add_argument("--networks", default=",".join(peer.NETWORKS), help="comma between")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    data = models.dataset(options.data, "train")
    results: list[dict[str, object]] = []
    for network in options.networks.split(","):
        batch = peer.NETWORKS[network]
        for name, kind, build, compile in CASES:
            try:
                training = models.Training(build(network), data, batch, 1e-3, compile)
                time = peer.measure(training.step, options.seconds)
            except Exception as error:  # a peer that lacks a case is named, and the others go on
                print(f"torch_train.py: {name} {kind} {network}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            results.append({"peer": name, "name": f"train/{network}/b{batch}/{kind}", "unit": "step", **time})
    peer.report("train", f"PyTorch {torch.__version__}", options.threads, results)


if __name__ == "__main__":
    main()
