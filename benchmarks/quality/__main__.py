"""Command line of the quality benchmark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import xinpaint
from benchmarks.quality import report
from benchmarks.quality.scenes import OOD, VALIDATION, Case, cases, read_bank, read_scenes
from benchmarks.quality.scoring import RIVALS, Memory, Row, score
from xinpaint.errors import XinpaintError
from xinpaint.io.weights import filler, find
from xinpaint.train.data import data_folder


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    ask.add_argument("--weights", help="a shipped name or a .safetensors file")
    ask.add_argument("--turns", type=int, help="orientations averaged, 1 or 4; writes no page")
    ask.add_argument("--masks", type=int, default=5, help="masks of each kind a scene (at least 3)")
    ask.add_argument("--fast", action="store_true", help="one mask of each kind; writes no page")
    ask.add_argument(
        "--validation", action="store_true", help="validation chips, not OOD; writes no page"
    )
    ask.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    ask.add_argument(
        "--cache", type=Path, default=Path("runs/quality.json"), help="known scores of the rivals"
    )
    return ask.parse_args(words)


def run(
    drawn: list[Case], weights: str | None, memory: Memory, turns: int | None = None
) -> list[Row]:
    """Every method on every case."""
    own = filler(report.OWN, weights=weights, turns=turns)
    rows = []
    for number, case in enumerate(drawn, 1):
        for method in RIVALS:
            rows.append(memory.score(case, method))
        rows.append(score(case, report.OWN, own))
        print(f"{number}/{len(drawn)} {case.scene.name} {case.kind} {case.seed}", file=sys.stderr)
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """Score, print the gains, and write the page where it is asked for."""
    asked = arguments(words)
    seeds = 1 if asked.fast else asked.masks
    pattern, bank = VALIDATION if asked.validation else OOD
    try:
        source = find(asked.weights)
        folder = data_folder()
        drawn = cases(read_scenes(folder, pattern), read_bank(folder / bank), seeds)
        rows = run(drawn, asked.weights, Memory(asked.cache), asked.turns)
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    told = report.summary(rows)
    print(report.gain_table(rows))
    print(*(f"{key} {value}" for key, value in told.items()), sep="\n")
    if asked.validation:
        return 0
    date = datetime.now(UTC).date().isoformat()
    sha256 = source.sha256[:12] + (f" turns={asked.turns}" if asked.turns else "")
    entry = {"date": date, "weights_sha256": sha256, "masks": seeds, **told}
    asked.docs.mkdir(parents=True, exist_ok=True)
    log = report.append_log(asked.docs / "ood-runs.csv", entry)
    if not (asked.fast or asked.turns):
        about = {"date": date, "sha256": sha256, "version": xinpaint.__version__, "seeds": seeds}
        (asked.docs / "results.md").write_text(report.page(rows, log, about))
        report.write_rows(asked.docs / "results.csv", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
