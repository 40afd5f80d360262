"""The networks in PyTorch: FP32, with eager-mode fake quantization, with torchao's, and converted to int8."""
from __future__ import annotations

import math
import warnings
from pathlib import Path

import torch
import torch.ao.quantization as quantization
from torch import nn
from torch.nn import functional

import peer

warnings.filterwarnings("ignore")
Pictures = tuple[torch.Tensor, torch.Tensor]  # u8 [n, 784] and int64 [n]


def dataset(folder: Path, part: str) -> Pictures:
    images, labels = peer.mnist(folder, part)
    return torch.frombuffer(images, dtype=torch.uint8).view(-1, 784), torch.frombuffer(labels, dtype=torch.uint8).long()


def mlp(network: str) -> nn.Sequential:
    modules: list[nn.Module] = []
    for inputs, outputs in peer.layers(network):
        modules += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def fake_quantized(model: nn.Sequential, per_tensor: bool = False) -> nn.Sequential:
    """Eager-mode QAT with its fused observers, ranges by moving average; for the engine whose int8 model is fastest."""
    torch.backends.quantized.engine = "x86"
    config = quantization.get_default_qat_qconfig("x86")  # weights per channel
    if per_tensor:
        config = quantization.QConfig(config.activation, quantization.default_fused_wt_fake_quant)
    wrapped = nn.Sequential(quantization.QuantStub(), *model, quantization.DeQuantStub()).train()
    wrapped.qconfig = config
    pairs = [[str(i), str(i + 1)] for i in range(len(wrapped) - 1) if isinstance(wrapped[i + 1], nn.ReLU)]
    quantization.fuse_modules_qat(wrapped, pairs, inplace=True)
    return quantization.prepare_qat(wrapped, inplace=True)


def converted(model: nn.Sequential) -> nn.Sequential:
    """The int8 model of a fake-quantized one that has seen data."""
    return quantization.convert(model.eval())


def torchao_fake_quantized(model: nn.Sequential) -> nn.Sequential:
    """torchao's QAT: int8 weights per channel; int8 activations, a range a row and step (it has no static ones)."""
    from torchao.quantization import quantize_
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

    activations = IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False)
    weights = IntxFakeQuantizeConfig(torch.int8, "per_channel")
    quantize_(model, QATConfig(activation_config=activations, weight_config=weights, step="prepare"))
    return model


class Training:
    """Steps over a shuffled dataset: gather u8 rows by index, scale them, forward, backward, fused Adam."""

    def __init__(self, model: nn.Module, data: Pictures, batch: int, rate: float, compile: bool) -> None:
        self.images, self.labels = data
        self.batch = batch
        self.optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
        self.order = torch.randperm(len(self.labels))
        self.at = 0

        def loss(pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return functional.cross_entropy(model(pixels.to(torch.float32) * (1 / 255)), labels)

        self.loss = torch.compile(loss) if compile else loss

    def epochs(self, count: int) -> None:
        """The rate follows half a cosine down to 0."""
        rate, steps = self.optimizer.param_groups[0]["lr"], count * -(-len(self.labels) // self.batch)
        for step in range(steps):
            self.optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
            self.step()

    def step(self) -> None:
        if self.at >= len(self.labels):
            self.at = 0
            self.order = torch.randperm(len(self.labels))
        index = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        self.loss(self.images[index], self.labels[index]).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
