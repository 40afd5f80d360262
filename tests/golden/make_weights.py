#!/usr/bin/env python3
"""Makes weights.safetensors: a small network's state_dict as PyTorch saves it, in f32, f16 and bf16, with tensors of
types that Rung lacks, and what PyTorch computes with it. Run where torch and safetensors are installed."""
import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(1)
network = torch.nn.Sequential()
network.add_module("fc1", torch.nn.Linear(6, 5))
network.add_module("bn1", torch.nn.BatchNorm1d(5))
network.add_module("act", torch.nn.ReLU())
network.add_module("fc2", torch.nn.Linear(5, 4, bias=False))
for _ in range(3):  # running statistics of its own
    network(torch.randn(16, 6) * 2 + 1)
network.eval()
network.fc1.bias.data = network.fc1.bias.half().float()  # what the narrow types hold exactly
network.fc2.weight.data = network.fc2.weight.bfloat16().float()

tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
tensors["fc1.bias"] = tensors["fc1.bias"].half()
tensors["fc2.weight"] = tensors["fc2.weight"].bfloat16()
x = torch.randn(8, 6)
with torch.no_grad():
    tensors |= {"x": x, "logits": network(x)}
tensors |= {"extra.f64": torch.ones(3, dtype=torch.float64), "extra.bool": torch.tensor([True, False, True]),
            "extra.empty": torch.zeros(0, 4), "extra.deep": torch.zeros(1, 1, 1, 1, 1, 1, 2)}
save_file(tensors, pathlib.Path(__file__).parent / "weights.safetensors", metadata={"made": "by PyTorch", "of": "\"Rung\" \n é"})
