"""Command line of the benchmark of models."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import xinpaint
from benchmarks.models import coherence, page, pictures, scoring, speed, tables
from benchmarks.models.coherence import Agreement
from benchmarks.models.runs import OWN, Run, read_run, read_runs
from benchmarks.models.scoring import CLASSICAL, GAPS, OOD, VALIDATION, Row
from benchmarks.quality import report, scenes
from benchmarks.quality.scenes import KINDS, Case
from benchmarks.quality.scoring import RIVALS, Memory
from xinpaint.errors import XinpaintError
from xinpaint.io.weights import filler
from xinpaint.methods.base import Filler
from xinpaint.train.data import data_folder


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    ask.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        required=True,
        help="folders of weights trained alike, or folders of such folders",
    )
    ask.add_argument("--weights", type=Path, help="default weights other than the shipped ones")
    ask.add_argument("--masks", type=int, default=3, help="masks of each kind a scene")
    ask.add_argument("--samples", action="store_true", help="also look into draws")
    ask.add_argument(
        "--validation", action="store_true", help="validation scene, not OOD; writes no page"
    )
    ask.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    ask.add_argument(
        "--cache", type=Path, default=Path("runs/models.json"), help="scores that are known"
    )
    return ask.parse_args(words)


def draw(folder: Path, masks: int, validation: bool) -> list[tuple[str, Case]]:
    """The cases, each with its split."""
    pattern, bank = scenes.VALIDATION
    chips, gaps = scenes.read_scenes(folder, pattern), scenes.read_bank(folder / bank)
    drawn = [(VALIDATION, case) for case in scoring.validation_cases(chips, gaps, masks)]
    if not validation:
        pattern, bank = scenes.OOD
        found, gaps = scenes.read_scenes(folder, pattern), scenes.read_bank(folder / bank)
        drawn += [(OOD, case) for case in scenes.cases(found, gaps, masks, tuple(GAPS))]
    return drawn


def run(
    drawn: list[tuple[str, Case]], runs: Sequence[Run], memory: Memory
) -> tuple[list[Row], set[str]]:
    """Every method on every case; and the hashes of weights that OOD scenes were new to."""
    rows = [scoring.classical(case, m, split, memory) for m in CLASSICAL for split, case in drawn]
    fresh = set()
    for number, one in enumerate(runs, 1):  # a net at a time: few are kept loaded
        print(f"{number}/{len(runs)} {one.method}, seed {one.seed}", file=sys.stderr)
        for split, case in drawn:
            if split == OOD and case.seed and not one.first:
                continue
            if split == OOD and scoring.known_as(case, one, split) not in memory.rows:
                fresh.add(one.sha256)
            rows.append(scoring.neural(case, one, split, memory))
    return rows, fresh


def write(asked: argparse.Namespace, found: page.Found, drawn: list[Case], fresh: set[str]) -> None:
    """Page, rows, pictures and the log of OOD runs."""
    date = datetime.now(UTC).date().isoformat()
    asked.docs.mkdir(parents=True, exist_ok=True)
    log = log_runs(asked.docs / "ood-runs.csv", found, date, fresh)
    own = next(run for run in found.runs if run.method == OWN)
    about = {"version": xinpaint.__version__, "date": date, "sha256": own.sha256[:12]}
    page.write_rows(asked.docs / "results-models.csv", list(found.rows))
    images = asked.docs / "images"
    pictures.reliability(found.main, images / "models-reliability.png")
    shown = next(case for case in reversed(drawn) if case.kind == "real" and case.seed == 0)
    pictures.strip(shown, ready(found.runs), images / "models.png")
    (asked.docs / "results-models.md").write_text(page.page(found, about, log))


def ready(runs: Sequence[Run]) -> dict[str, Filler]:
    """One filler for each row of the tables."""
    made: dict[str, Filler] = {
        name: filler(RIVALS[name][0], **RIVALS[name][1]) for name in CLASSICAL
    }
    return made | {one.method: one.filler() for one in runs if one.main and one.first}


def log_runs(path: Path, found: page.Found, date: str, fresh: set[str]) -> str:
    """Enter each weights file that was scored anew, as `benchmarks.quality` does; the whole log."""
    rows = [r for r in found.rows if r.split == OOD and r.mask in KINDS]
    entries = report.read_log(path)
    known = {entry["weights_sha256"] for entry in entries}  # not those of a run that was cut short
    for one in found.runs:
        if one.sha256 not in fresh and one.sha256[:12] in known:
            continue
        own = [r for r in rows if (r.method, r.run) == (one.method, one.seed)]
        cases = {(r.scene, r.mask, r.seed) for r in own}
        beside = [r for r in rows if r.method in CLASSICAL and (r.scene, r.mask, r.seed) in cases]
        told = report.summary([*own, *beside], one.method, CLASSICAL)
        masks = len({seed for _, _, seed in cases})
        if math.isnan(own[0].sharpness):  # no spread, no coverage
            told["coverage90"] = ""
        entry = {"date": date, "weights_sha256": one.sha256[:12], "masks": masks, **told}
        entries = report.append_log(path, entry)
    head = report.LOG_COLUMNS
    return report.markdown([head, ["---"] * len(head), *([e[c] for c in head] for e in entries)])


def draws(drawn: list[Case], runs: Sequence[Run]) -> list[Agreement]:
    """How draws of the default and a ConvLNP hang together, on the first mask of some gaps."""
    asked = [one for one in runs if one.method in (OWN, "convlnp") and one.first]
    some = [case for case in drawn if case.kind in coherence.WHERE and case.seed == 0]
    return [told for one in asked for told in coherence.agreements(some, one)]


def main(words: Sequence[str] | None = None) -> int:
    """Score, print tables and claims, and write the page."""
    asked = arguments(words)
    try:
        runs = [read_run(asked.weights, OWN), *read_runs(asked.runs)]
        drawn = draw(data_folder(), asked.masks, asked.validation)
        rows, fresh = run(drawn, runs, Memory(asked.cache))
        fast = speed.throughput(ready(runs))
        cases = [case for split, case in drawn if split == OOD or asked.validation]
        found = page.Found(
            rows, runs, fast, draws(cases, runs) if asked.samples else [], asked.masks
        )
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    print(tables.means(rows, VALIDATION if asked.validation else OOD, GAPS))
    print(tables.budget(runs, fast))
    if not asked.validation:
        print(page.spoken(found))
        write(asked, found, cases, fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
