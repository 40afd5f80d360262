"""The figures of several rounds, and a page's rows, on numbers that are easy to check by hand."""
from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/report"))
import page
from figures import Figures
from rows import SECTIONS, Row


def document(seconds: float, gflops: float, share: float, **more: object) -> dict:
    result = {"name": "gemm/a", "seconds": seconds, "median": seconds, "gflops": gflops, "share": share, **more}
    machine = {"cpu": "C", "level": "L", "threads": 1}
    return {"benchmark": "gemm", "version": "1.0", "compiler": "cc", "machine": machine, "results": [result]}


class Report(unittest.TestCase):
    def setUp(self) -> None:
        self.figures = Figures()
        self.figures.add_document("rung", document(2.0, 50.0, 0.5))
        self.figures.add_document("rung", document(1.0, 100.0, 0.8))
        self.figures.add_document("script", document(4.0, 25.0, 0.25, peer="peer-slow"))
        self.figures.add_document("script", document(3.0, 33.0, 0.33, peer="peer-fast"))

    def line(self, kind: str, first: str, second: str = "", wanted: str = "") -> list[str]:
        cells = page.row_line(Row("what", kind, first, second, wanted), self.figures).split("|")
        return [cell.strip() for cell in cells[2:5]]

    def test_best_of_all_rounds(self) -> None:
        """The best rate is held against the best peak: 100 of max(50 / 0.5, 100 / 0.8)."""
        self.assertEqual(self.line("share", "rung:gemm/a", wanted=">= 0.85"), ["≥ 0.85", "0.800", "**no**"])
        self.assertEqual(self.line("over_ideal", "rung:gemm/a", wanted="<= 1.3"), ["≤ 1.3", "1.250", "yes"])

    def test_ratio_to_the_fastest_peer(self) -> None:
        self.assertEqual(self.line("ratio", "rung:gemm/a", "peer-*|x:gemm/a", "<= 0.3"), ["≤ 0.3", "0.333", "**no**"])
        self.assertEqual(self.line("ratio", "peer-slow:gemm/a", "rung:gemm/a"), ["", "4.000", ""])

    def test_values(self) -> None:
        self.figures.add("rung", "accuracy/f32", {"percent": 98.5})
        self.figures.add("rung", "accuracy/int8", {"percent": 98.25})
        rows = ("rung:accuracy/f32@percent", "rung:accuracy/int8@percent", "<= 0.05")
        self.assertEqual(self.line("difference", *rows), ["≤ 0.05", "0.250", "**no**"])
        self.assertEqual(self.line("value", rows[0]), ["", "98.5", ""])

    def test_what_was_not_measured(self) -> None:
        self.assertEqual(self.line("ratio", "rung:gemm/a", "absent:gemm/a", "<= 1"), ["≤ 1", "not measured", ""])
        self.assertEqual(self.line("share", "rung:gemm/b", wanted=">= 1"), ["≥ 1", "not measured", ""])

    def test_page_of_saved_figures(self) -> None:
        self.figures.skipped = {"a": "not installed", "b": "not installed"}
        with tempfile.TemporaryDirectory() as folder:
            self.figures.save(Path(folder) / "figures.json")
            page.write(Path(folder) / "page.md", Figures.load(Path(folder) / "figures.json"))
            text = (Path(folder) / "page.md").read_text()
        self.assertIn("a, b (not installed)", text)
        self.assertIn("| a | peer-fast | 3 s | 3 s | 33 GFLOP/s |", text)
        for row in (row for _, rows in SECTIONS for row in rows):
            self.assertIn(f"| {row.what} |", text)


if __name__ == "__main__":
    unittest.main()
