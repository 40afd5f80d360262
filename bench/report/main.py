"""Runs our benchmarks and the peers' in turn, and writes docs/benchmarks.md."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import commands
import page
from figures import Figures

PARTS = ("train", "gemm", "quantize", "infer", "goal", "accuracy")
PAGE = commands.ROOT / "docs/benchmarks.md"
SAVED = commands.ROOT / "build/bench.json"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"bench: {message} (--help lists the options)\n")


def read_options() -> argparse.Namespace:
    parser = Parser(prog="scripts/bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--install-peers", action="store_true", help="only make the virtual environment of the peers")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of which the best counts (3)")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", metavar="PART,...", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE", help="the page (docs/benchmarks.md)")
    parser.add_argument("--again", action="store_true", help="write the page from the last run's figures")
    parser.add_argument("--venv", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := [part for part in options.only if part not in PARTS]:
        parser.error(f"--only '{unknown[0]}': expected some of {', '.join(PARTS)}")
    if not 1 <= options.rounds <= 100:
        parser.error(f"--rounds {options.rounds}: expected 1..100")
    if not options.output.parent.is_dir():
        parser.error(f"--output '{options.output}': its folder is not there")
    if options.again and not SAVED.is_file():
        parser.error("--again: there is no last run")
    return options


def measure_all(options: argparse.Namespace, rounds: int) -> Figures:
    figures = Figures()
    for index in range(rounds):
        for command in commands.round_commands(options.venv, options.quick):
            if command.part not in options.only or command.program in figures.skipped or (command.once and index > 0):
                continue
            print(f"round {index + 1} of {rounds}: {command.part}, {command.program}", file=sys.stderr)
            try:
                commands.measure(command, options.venv, figures)
            except commands.Skip as skip:
                figures.skipped[command.program] = str(skip)
                print(f"  skipped: {skip}", file=sys.stderr)
    return figures


def main() -> None:
    options = read_options()
    rounds = 1 if options.quick else options.rounds
    if options.again:
        figures = Figures.load(SAVED)
    else:
        figures = measure_all(options, rounds)
        figures.rounds, figures.quick = rounds, options.quick
        figures.save(SAVED)
    page.write(options.output, figures)
    print(options.output)


if __name__ == "__main__":
    main()
