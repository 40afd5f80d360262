"""docs/benchmarks.md, from the figures, the rows and notes.md."""
from __future__ import annotations

import operator
import os
from pathlib import Path

from figures import RATES, Figure, Figures
from rows import SECTIONS, Row

COMPARE = {"<=": operator.le, ">=": operator.ge}
BENCHMARKS = {"train": "Training steps", "gemm": "Matrix products", "infer": "Inference", "quantize": "Quantizing"}
HEAD = """\
# Benchmarks

Written by `scripts/bench`, which runs our benchmarks and the same work on other programs in turn: {rounds}.
The best of each counts. Ratios, not times, are what another machine should repeat: both sides of one are of one run.

- **Machine**: {cpu}, {cores} cores, kernels of level {level}; {system}.
- **Ours**: Rung {version}, {compiler}, `-O3`.
- **Peers**: {peers}.
{skipped}
One thread unless a row says otherwise. Shapes are M x N x K, n an operand as stored, t one transposed. A training step
counts 6 x batch x weights operations, 4 for the first layer, whose input needs no gradient. Peaks are measured by the
process whose rate is held against them.

## What was wanted, and what was got
"""


def short(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def time_text(seconds: float) -> str:
    unit, factor = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("us", 1e6)
    return f"{short(seconds * factor)} {unit}"


def rate_text(figure: Figure) -> str:
    return next((f"{short(figure[key])} {unit}" for key, unit in RATES.items() if key in figure), "")


def look_up(figures: Figures, reference: str) -> list[tuple[str, Figure, float]]:
    """Program, figure and the wanted number of each that "PROGRAMS:NAME@KEY" matches, the fastest first."""
    programs, _, name = reference.partition(":")
    name, _, key = name.partition("@")
    return [(who, figure, figure[key or "seconds"]) for who, figure in figures.matching(programs, name)]


def evaluate(row: Row, figures: Figures) -> tuple[float, str]:
    """The row's figure, and what it is made of. IndexError where it was not measured."""
    who, first, value = look_up(figures, row.first)[0]
    if row.kind == "value":
        return value, ""
    if row.kind in ("share", "over_ideal"):
        share = next(first[key] for key in RATES if key in first) / first["peak"]
        beside = look_up(figures, row.second) if row.second else []
        texts = [f"{peer} {rate_text(figure)}" for peer, figure, _ in beside]
        texts.insert(0, f"{rate_text(first)} of {short(first['peak'])}")
        return (share if row.kind == "share" else 1 / share), "; ".join(texts)
    peer, _, other = look_up(figures, row.second)[0]
    if row.kind == "difference":
        return value - other, f"{value:.3f} and {other:.3f}"
    return value / other, f"{who} {time_text(value)}, {peer} {time_text(other)}"


def row_line(row: Row, figures: Figures) -> str:
    holds = ""
    try:
        value, parts = evaluate(row, figures)
        got = f"{value:.1f}" if value >= 10 else f"{value:.3f}"
    except IndexError:
        value, got, parts = None, "not measured", ""
    if row.wanted and value is not None:
        sign, bound = row.wanted.split()
        holds = "yes" if COMPARE[sign](value, float(bound)) else "**no**"
    wanted = row.wanted.replace("<=", "≤").replace(">=", "≥")
    return f"| {row.what} | {wanted} | {got} | {holds} | {parts} |"


def section_lines(heading: str, rows: list[Row], figures: Figures) -> list[str]:
    head = [f"### {heading}", "", "| what | wanted | got | holds | from |", "| --- | --- | --- | --- | --- |"]
    return [*head, *(row_line(row, figures) for row in rows), ""]


def epoch_text(name: str, seconds: float) -> str:
    batch = int(name.split("/")[2].removeprefix("b"))
    return time_text(seconds * 60000 / batch)


def table_lines(part: str, figures: Figures) -> list[str]:
    """Every program's time of everything that a benchmark measured."""
    last = "epoch of 60,000" if part == "train" else "rate"
    lines = [f"### {BENCHMARKS[part]}", "", f"| | program | best | median | {last} |", "| --- |" + " --- |" * 4]
    names = dict.fromkeys(name for results in figures.results.values() for name in results)  # each once, in order
    for name in (name for name in names if name.startswith(part + "/")):
        for who, figure in figures.matching("*", name):
            more = epoch_text(name, figure["seconds"]) if part == "train" else rate_text(figure)
            times = f"{time_text(figure['seconds'])} | {time_text(figure['median'])}"
            lines.append(f"| {name.removeprefix(part + '/')} | {who} | {times} | {more} |")
    return [*lines, ""]


def system() -> str:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split("=", 1)[1].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return names[0] if names else "unknown system"


def head(figures: Figures) -> str:
    ours = ("rung", "plain")
    peers = dict.fromkeys(version for who, version in figures.versions.items() if not who.startswith(ours))
    reasons: dict[str, list[str]] = {}
    for what, reason in figures.skipped.items():
        reasons.setdefault(reason, []).append(what)
    skipped = "; ".join(f"{', '.join(whats)} ({reason})" for reason, whats in reasons.items())
    quick = "one short round (`--quick`: that it works, not how fast)"
    return HEAD.format(
        rounds=quick if figures.quick else f"{figures.rounds} round{'s' if figures.rounds > 1 else ''}",
        cpu=figures.machine.get("cpu", "unknown processor"),
        cores=os.cpu_count(),
        level=figures.machine.get("level", "unknown"),
        system=system(),
        version=figures.versions.get("rung", "unknown"),
        compiler=figures.compiler,
        peers=", ".join(peers) or "none",
        skipped=f"- **Not measured**: {skipped}.\n" if skipped else "",
    )


def write(path: Path, figures: Figures) -> None:
    lines = [line for heading, rows in SECTIONS for line in section_lines(heading, rows, figures)]
    lines += ["## All times", "", "The best of all rounds, and the least of their medians.", ""]
    lines += [line for part in BENCHMARKS for line in table_lines(part, figures)]
    notes = (Path(__file__).parent / "notes.md").read_text()
    path.write_text("\n".join([head(figures), *lines, notes]))
