"""The programs of one round, in turn ours and a peer's: how each is run, and what is taken from it."""
from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from figures import Figures

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build/release"
PEERS = ROOT / "bench/peers"
DATA = ROOT / "data/mnist"
EXAMPLE = RELEASE / "examples/mnist/mnist_mlp"
EPOCHS, QAT_EPOCHS = 6, 1  # of the goal: the least at which ours and PyTorch's reach 98.0 % with each seed of five
SEEDS = range(1, 6)
BACKWARDS = ("f32", "bf16", "int8")
SLOW = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # would keep a peer from the kernels of this machine


@dataclass(frozen=True)
class Command:
    part: str
    program: str  # whose results they are, where the results do not say
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    once: bool = False  # not again in the later rounds

    @property
    def is_ours(self) -> bool:
        return Path(self.argv[0]).is_relative_to(RELEASE)


class Skip(Exception):
    """A program that cannot be had or that failed, in one line."""


def round_commands(venv: Path, quick: bool) -> list[Command]:
    data = ("--data", str(DATA))
    epochs = ("--epochs", str(EPOCHS), "--qat-epochs", str(QAT_EPOCHS), "--threads", "1")

    def ours(part: str, seconds: float, *options: str, program: str = "rung", **environment: str) -> Command:
        length = ["--quick", "--seconds", "0.2"] if quick else ["--seconds", str(seconds)]
        argv = [str(RELEASE / f"bench/bench_{part}"), "--json", "-", *length, *options]
        return Command(part, program, argv, environment)

    def python(part: str, script: str, seconds: float, *options: str) -> Command:
        length = ["--seconds", str(0.05 if quick else seconds)]
        return Command(part, script, [str(venv / "bin/python"), str(PEERS / f"{script}.py"), *data, *length, *options])

    def compiled(part: str, name: str, seconds: float) -> Command:
        return Command(part, name, [str(venv / "rung-peers" / name), str(0.05 if quick else seconds)])

    def accuracy(seed: int, backward: str) -> Command:
        argv = [str(EXAMPLE), *data, "--seed", str(seed), "--backward", backward]
        return Command("accuracy", f"accuracy/{backward}", argv, once=True)

    return [
        ours("train", 4, "--threads", "2", *data),
        python("train", "torch_train", 0.8),
        ours("train", 3, "--backward", "bf16", *data, program="rung-bf16"),
        compiled("train", "plain_train", 0.8),
        ours("train", 3, "--backward", "int8", *data, program="rung-int8"),
        ours("train", 2, *data, program="rung-v3", RUNG_CPU="v3"),
        ours("gemm", 4),
        compiled("gemm", "onednn_gemm", 0.3),
        ours("quantize", 4),
        compiled("gemm", "openblas_gemm", 0.3),
        ours("infer", 4, *data),
        python("infer", "onnxruntime_infer", 0.25),
        python("infer", "torch_infer", 0.25),
        Command("goal", "rung", [str(EXAMPLE), *data, *epochs]),
        python("goal", "torch_goal", 1, *epochs),
        *(accuracy(seed, backward) for seed in (SEEDS[:1] if quick else SEEDS) for backward in BACKWARDS),
    ]


def lacks(command: Command) -> str:
    """Why it cannot run, or nothing. A benchmark may have no --backward (yet): then the figure is not measured."""
    program = command.argv[0]
    if not os.access(program, os.X_OK):
        return f"{Path(program).name} is not built" if command.is_ours else "not installed"
    if "--backward" in command.argv:
        usage = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
        if "--backward" not in usage:
            return f"{Path(program).name} has no --backward"
    return ""


def run(command: Command, venv: Path) -> tuple[str, float, float]:
    """Its standard output, seconds from start to end, and its peak memory in 10^6 bytes."""
    if reason := lacks(command):
        raise Skip(reason)
    environment = {key: value for key, value in os.environ.items() if key not in SLOW}
    if not command.is_ours:
        environment |= {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(venv / "rung-peers/inductor")}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command.argv, stdout=out, stderr=said, env=environment | command.environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        lines = said.read().strip().splitlines()
        if process.returncode != 0:
            raise Skip(lines[-1] if lines else f"exit status {process.returncode}")
        return out.read(), seconds, usage.ru_maxrss * 1024 / 1e6


def measure(command: Command, venv: Path, figures: Figures) -> None:
    if command.part not in ("goal", "accuracy"):
        figures.add_document(command.program, json.loads(run(command, venv)[0]))
        return
    if command.is_ours:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            _, seconds, memory = run(Command(**vars(command) | {"argv": [*command.argv, "--json", str(report)]}), venv)
            accuracy = json.loads(report.read_text())["qat"]["accuracy_integer"]
    else:
        out, seconds, memory = run(command, venv)
        accuracy = json.loads(out)["accuracy"]
    if command.part == "goal":
        goal = {"seconds": seconds, "accuracy": accuracy, "rss_mb": memory}
        figures.add("rung" if command.is_ours else "pytorch", "goal", goal)
    else:
        known = figures.results.get("rung", {}).get(command.program, {"percent": 0.0, "seeds": 0})
        seeds = known["seeds"] + 1
        mean = known["percent"] + (100 * accuracy - known["percent"]) / seeds
        figures.add("rung", command.program, {"percent": mean, "seeds": seeds})
