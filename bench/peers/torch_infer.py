"""Inference on PyTorch: FP32 and the converted int8 model. usage: torch_infer.py [--data FOLDER] [--seconds S]"""
from __future__ import annotations

import torch

import peer
import torch_models as models


def main() -> None:
    options = peer.options(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    images, _ = models.dataset(options.data, "t10k")
    pixels = images.to(torch.float32) * (1 / 255)
    results: list[dict[str, object]] = []
    with torch.inference_mode():
        for network in peer.INFERENCE_NETWORKS:
            model = models.mlp(network)
            quantized = models.fake_quantized(models.mlp(network))
            quantized(pixels[:1000])
            for kind, run in (("fp32", model.eval()), ("w8a8", models.converted(quantized))):
                for batch in peer.INFERENCE_BATCHES:
                    x = pixels[:batch].clone()
                    time = peer.measure(lambda: run(x), options.seconds)
                    results.append(peer.per_picture("pytorch", network, batch, kind, time))
    peer.report("infer", f"PyTorch {torch.__version__}", options.threads, results)


if __name__ == "__main__":
    main()
