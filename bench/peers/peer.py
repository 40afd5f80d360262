"""What the peers in Python share: options, MNIST in memory, the clock, and the JSON that Rung's benchmarks write."""
from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

# Layer widths and batch, as in bench/.
NETWORKS = {"784-256-128-10": 64, "784-512-512-10": 128, "784-1024-1024-1024-10": 256}
INFERENCE_NETWORKS = ("784-256-128-10", "784-512-512-10")
INFERENCE_BATCHES = (1, 64, 256)


def options(purpose: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--data", type=Path, default=Path("data/mnist"), help="folder of MNIST's four IDX files")
    parser.add_argument("--seconds", type=float, default=1.0, help="of timing, a case")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def widths(network: str) -> list[int]:
    return [int(width) for width in network.split("-")]


def layers(network: str) -> list[tuple[int, int]]:
    """[(in, out), ...]"""
    return list(zip(widths(network), widths(network)[1:]))


def mnist(folder: Path, part: str) -> tuple[bytearray, bytearray]:
    """The pixels [n, 784] and labels [n] of part "train" or "t10k", as bytes."""
    images = bytearray((folder / f"{part}-images-idx3-ubyte").read_bytes())
    labels = bytearray((folder / f"{part}-labels-idx1-ubyte").read_bytes())
    del images[:16], labels[:8]
    return images, labels


def measure(work: Callable[[], object], seconds: float, block_seconds: float = 0.01) -> dict[str, float]:
    """Best and median seconds of one call, of blocks long enough for the clock, after a warm-up."""
    start = time.perf_counter()
    count = 0
    while count < 10 or time.perf_counter() - start < min(0.2, seconds / 2):
        work()
        count += 1
    block = max(1, round(block_seconds * count / (time.perf_counter() - start)))
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        for _ in range(block):
            work()
        times.append((time.perf_counter() - start) / block)
    return {"seconds": min(times), "median": statistics.median(times)}


def per_picture(name: str, network: str, batch: int, kind: str, time: dict[str, float]) -> dict[str, object]:
    """A result of inference from the time of a batch."""
    shared = {key: value / batch for key, value in time.items()}
    return {"peer": name, "name": f"infer/{network}/b{batch}/{kind}", "unit": "picture", **shared}


def report(benchmark: str, version: str, threads: int, results: list[dict[str, object]]) -> None:
    machine = {"threads": threads}
    print(json.dumps({"benchmark": benchmark, "version": version, "machine": machine, "results": results}, indent=1))
