"""From nothing to a frozen int8 model on PyTorch: FP32 training, QAT, conversion, and the accuracy of the int8 model on
the test pictures. Eager, since compiling takes longer than it saves.
usage: torch_goal.py [--data FOLDER] [--epochs N] [--qat-epochs N] [--seed N]"""
from __future__ import annotations

import json

import torch

import peer
import torch_models as models


def main() -> None:
    parser = peer.options(__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="of FP32 training")
    parser.add_argument("--qat-epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network, data = "784-256-128-10", models.dataset(options.data, "train")
    model = models.mlp(network)
    models.Training(model, data, peer.NETWORKS[network], 1e-3, compile=False).epochs(options.epochs)
    quantized = models.fake_quantized(model)
    models.Training(quantized, data, peer.NETWORKS[network], 2e-4, compile=False).epochs(options.qat_epochs)
    program = models.converted(quantized)
    images, labels = models.dataset(options.data, "t10k")
    with torch.inference_mode():
        right = (program(images.to(torch.float32) * (1 / 255)).argmax(1) == labels).sum().item()
    print(json.dumps({"accuracy": right / len(labels)}))


if __name__ == "__main__":
    main()
