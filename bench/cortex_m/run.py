#!/usr/bin/env python3
"""Measures emitted C on a Cortex-M4 that qemu plays, and writes docs/cortex-m.md."""
from __future__ import annotations

import argparse
import operator
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_HERE = 77  # the exit status of a test for which the machine lacks something
WIDTHS = {"w8a8": (784, 32, 10), "w4a4": (784, 64, 64, 64, 10), "w2a2": (784, 32, 24, 10),
          "w1a1": (784, 64, 64, 64, 10), "w1a2": (784, 64, 64, 64, 10), "w2a2_ternary": (784, 64, 64, 64, 10)}
ON_BITS = ("w1a1", "w1a2", "w2a2_ternary")  # the same code in every form
FORMS = {
    "plain": "emitted",
    "cmsis": "`--cmsis`",
    "packed": "`--bits-packed`",
    "packed_cmsis": "`--bits-packed --cmsis`",
}
OPTIMIZATIONS = ("-O2", "-Os")
FOREIGN = ("-std=gnu11", "-w", "-ffunction-sections", "-Wl,--gc-sections")
HEAD = """\
# Emitted C on a Cortex-M4

Written by `bench/cortex_m/run.py`. What was wanted is asserted by the tests as well (`ctest -L cross`).

- **With** {compiler};
  {qemu}.
- **Instructions** are counted, by qemu; they say nothing of wait states and pipelines, so they are no cycles. Under
  `-icount shift=5` each takes 32 ns of the board's time, and SysTick counts that. The tests hold the count against a
  loop of known length and against qemu's log of every instruction: no more than 4 instructions apart.
- **Code** is the text of the network's object file; **tables** are its biases, multipliers and shifts.
- **Flash** and **RAM** are the linked image's, all of it: vectors, start-up, the counting and printing, the buffer for
  a picture, and the stack, which is painted first and looked at afterwards (**stack** counts from main).
- The pictures are the tests', where all of this code gives the integer program's bits.
- What is not emitted computes the same layers by other means: plain loops (`bench/cortex_m/naive`), and what `--peer`
  brings, whose sources are not part of Rung.

## What was wanted, and what was got

| what | wanted | got | holds |
| --- | --- | --- | --- |
"""
TAIL = """\
## Beside an interpreter

Cited, not measured: TensorFlow Lite for Microcontrollers is said to take 16 KB of flash for its core runtime on a
Cortex-M3, and 22 KB with the operators of a keyword detector (tensorflow.org/lite/microcontrollers/overview), before
the first weight and before the model's own description. The emitted network has no runtime: its code is what the
tables above say.
"""


@dataclass(frozen=True)
class Program:
    """Code with the emitted interface: a folder with digits.c and digits.h."""

    name: str
    code: str
    flags: tuple[str, ...] = ()
    network: str = "w8a8"


@dataclass
class Measured:
    """What tests/cross/measure.sh says of a program, by optimization."""

    program: Program
    figures: dict[str, dict[str, int]] = field(default_factory=dict)


def macs(network: str) -> int:
    return sum(map(operator.mul, WIDTHS[network], WIDTHS[network][1:]))


def measure(program: Program, folder: Path) -> Measured:
    measured = Measured(program)
    for optimization in OPTIMIZATIONS:
        command = [ROOT / "tests/cross/measure.sh", folder, "figures", program.code, optimization, *program.flags]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode == NOT_HERE:
            print(done.stdout.strip())
            sys.exit(NOT_HERE)
        if done.returncode:
            sys.exit(f"cortex_m: {program.name}: {done.stdout.strip() or 'cannot be built'}")
        pairs = (line.split() for line in done.stdout.splitlines())
        measured.figures[optimization] = {key: int(number) for key, number in pairs}
    return measured


def goal_line(what: str, most: float, got: float) -> str:
    holds = "yes" if got <= most else "**no**"
    return f"| {what} | ≤ {most:,} | {got:,} | {holds} |"


def goal_lines(all_measured: list[Measured]) -> list[str]:
    got = {(m.program.network, m.program.code.split("/")[-1]): m.figures for m in all_measured}
    plain, cmsis, packed = got["w8a8", "plain"], got["w8a8", "cmsis"], got["w4a4", "packed"]
    a_mac = round(plain["-O2"]["inference"] / macs("w8a8"), 2)
    return [
        goal_line("784-32-10 W8A8, `--cmsis`, `-O2`: instructions an inference", 50000, cmsis["-O2"]["inference"]),
        goal_line("784-32-10 W8A8, plain, `-O2`: instructions a multiply-accumulate", 4, a_mac),
        goal_line("784-32-10 W8A8, plain, `-Os`: bytes of code and tables", 1024, plain["-Os"]["code+tables"]),
        goal_line("784-64-64-64-10 W4A4, packed, `-Os`: bytes of flash, whole image", 40960, packed["-Os"]["flash"]),
        goal_line("784-64-64-64-10 W4A4, packed, `-Os`: bytes of RAM, with stack", 4096, packed["-Os"]["ram"]),
    ]


def network_lines(network: str, all_measured: list[Measured]) -> list[str]:
    heads = ["", "", "instructions", "a MAC", "code", "with tables", "flash", "RAM", "stack"]
    shape = "-".join(map(str, WIDTHS[network]))
    bits, *kind = network.split("_")
    lines = [f"## {shape}, {' '.join([bits.upper(), *kind])}", "", f"| {' | '.join(heads)} |", "| --- |" + " --- |" * 8]
    for measured in all_measured:
        for optimization, got in measured.figures.items():
            numbers = [got[key] for key in ("code", "code+tables", "flash", "ram", "stack")]
            cells = [measured.program.name, f"`{optimization}`", f"{got['inference']:,}",
                     f"{got['inference'] / macs(network):.2f}", *(f"{number:,}" for number in numbers)]
            lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def version(command: str) -> str:
    return subprocess.run([command, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/cortex_m/run.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--tests", type=Path, default=ROOT / "build/release/tests/cross", metavar="FOLDER",
                        help="where `ctest -R cross/models` left the networks (build/release/tests/cross)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FOLDER",
                        help="a digits.c and digits.h that compute 784-32-10 by other means, to be measured beside")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/cortex-m.md", metavar="FILE",
                        help="the page (docs/cortex-m.md)")
    options = parser.parse_args()
    if not (options.tests / "models").is_dir():
        parser.error(f"--tests '{options.tests}': no networks there (ctest --test-dir build/release -R cross/models)")
    if wrong := [peer for peer in options.peer if not Path(peer.partition("=")[2]).joinpath("digits.c").is_file()]:
        parser.error(f"--peer '{wrong[0]}': expected NAME=FOLDER, with digits.c in it")
    return options


def main() -> None:
    options = read_options()
    programs = [Program(text, f"models/{network}/{form}", (), network)
                for network in WIDTHS for form, text in FORMS.items()
                if (network != "w8a8" or not form.startswith("packed"))  # nothing to pack in 8 bits
                and (network not in ON_BITS or form == "plain")]
    programs.append(Program("plain loops, one output after the other", str(ROOT / "bench/cortex_m/naive"), FOREIGN))
    for peer in options.peer:
        name, _, code = peer.partition("=")
        programs.append(Program(name, str(Path(code).resolve()), FOREIGN))
    all_measured = [measure(program, options.tests.resolve()) for program in programs]
    head = HEAD.format(compiler=version("arm-none-eabi-gcc"), qemu=version("qemu-system-arm"))
    lines = [*goal_lines(all_measured), ""]
    for network in WIDTHS:
        lines += network_lines(network, [m for m in all_measured if m.program.network == network])
    options.output.write_text(head + "\n".join(lines) + "\n" + TAIL)
    print(options.output)


if __name__ == "__main__":
    main()
