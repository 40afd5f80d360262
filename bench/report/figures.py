"""What was measured: for each program and name the best of all rounds. It can be kept in a file."""
from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

Figure = dict[str, float]
RATES = {"gflops": "GFLOP/s", "gops": "GOP/s", "gbs": "GB/s"}  # keys of a result, all in 10^9 a second


class Figures:
    def __init__(self) -> None:
        self.results: dict[str, dict[str, Figure]] = {}  # by program, by name
        self.versions: dict[str, str] = {}  # by program
        self.machine: dict[str, object] = {}
        self.compiler = ""
        self.skipped: dict[str, str] = {}  # what, why
        self.rounds = 1
        self.quick = False

    def add(self, program: str, name: str, result: Figure) -> None:
        """Merges one result: least seconds, largest rate; of anything else the last."""
        figure = self.results.setdefault(program, {}).setdefault(name, {})
        for key, value in result.items():
            if key in ("seconds", "median"):
                value = min(value, figure.get(key, value))
            elif key in RATES or key == "peak":
                value = max(value, figure.get(key, value))
            figure[key] = value

    def add_document(self, program: str, document: dict) -> None:
        """What a benchmark wrote: its results are the program's, or those of the peers that they name."""
        for result in document["results"]:
            who = result.get("peer", program)
            numbers = {key: value for key, value in result.items() if isinstance(value, (int, float))}
            if share := numbers.pop("share", 0):  # kept as the peak: of all rounds the best rate and best peak count
                numbers["peak"] = next(numbers[key] for key in RATES if key in numbers) / share
            self.versions[who] = document["version"]
            self.add(who, result["name"], numbers)
        if program == "rung":
            self.machine, self.compiler = document["machine"], document["compiler"]

    def matching(self, programs: str, name: str) -> list[tuple[str, Figure]]:
        """Of the programs that match one of the patterns, "a-*|b", those that have the name, the fastest first."""
        patterns = programs.split("|")
        found = [
            (who, results[name])
            for who, results in self.results.items()
            if name in results and any(fnmatchcase(who, pattern) for pattern in patterns)
        ]
        return sorted(found, key=lambda item: item[1].get("seconds", 0.0))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Figures:
        figures = cls()
        vars(figures).update(json.loads(path.read_text()))
        return figures
