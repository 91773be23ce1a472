"""Command line of the benchmark of dates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.dates import report
from benchmarks.dates.cases import (
    Case,
    lie,
    menindee_cases,
    oakville_cases,
    own_gaps,
    pair_cases,
    read_series,
    real_gaps,
)
from benchmarks.dates.scoring import Row, agreement, methods, score
from xinpaint.errors import XinpaintError
from xinpaint.io.weights import find
from xinpaint.train.data import data_folder

#: What is scored, and what the report calls it.
PARTS = {
    "real": "Oakville: real SLC-off gaps, the truth one day away",
    "own": "Oakville: the same dates under each other's gaps, the truth their own",
    "hidden": "Oakville: SLC-off gaps over clear dates",
    "pairs": "Two dates of places never trained on",
    "planted": "The same, with change planted on a tenth of the other date",
    "menindee": "Menindee: stripes hidden on SLC-off dates",
}


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.dates", description=__doc__)
    ask.add_argument("--weights", help="a shipped name or a .safetensors file")
    ask.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    ask.add_argument("--masks", type=int, default=3, help="masks of each kind a pair")
    ask.add_argument("--own", action="store_true", help="convnp only; writes no page")
    ask.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    return ask.parse_args(words)


def draw(folder: Path, part: str, seeds: int) -> list[Case]:
    """The cases of one part."""
    if part == "real":
        return list(real_gaps(read_series(folder, "series/oakville/*.tif")))
    if part == "own":
        return list(own_gaps(read_series(folder, "series/oakville/*.tif")))
    if part == "hidden":
        return oakville_cases(folder, 4 * seeds)
    if part == "menindee":
        return menindee_cases(folder)
    cases = pair_cases(folder, seeds)
    return cases if part == "pairs" else [lie(case, k) for k, case in enumerate(cases)]


def main(words: Sequence[str] | None = None) -> int:
    """Score, print the tables, and write the page where all was asked for."""
    asked = arguments(words)
    rows: dict[str, list[Row]] = {}
    try:
        folder, source = data_folder(), find(asked.weights)
        ready = methods(asked.weights, rivals=not asked.own)
        for part in asked.parts:
            rows[part] = []
            for case in draw(folder, part, asked.masks):
                rows[part] += [score(case, name, *one) for name, one in ready.items()]
                rows[part] += [row] if (row := agreement(case)) else []
                print(f"{part}: {case.name} {case.kind}", file=sys.stderr)
            print(f"## {PARTS[part]}\n\n{report.gains(rows[part])}\n\n{report.table(rows[part])}\n")
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    if not asked.own and list(rows) == list(PARTS):
        page = report.page({PARTS[part]: found for part, found in rows.items()}, source.sha256)
        (asked.docs / "results-time.md").write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
