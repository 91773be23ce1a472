"""The whole of docs/results-models.md, and the rows as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import claims, tables
from benchmarks.models.coherence import COUNT, WHERE, Agreement
from benchmarks.models.runs import Run
from benchmarks.models.scoring import GAPS, OOD, SIDE, VALIDATION, Row
from benchmarks.quality.report import markdown

#: Fields of a row that are written; the seconds belong to the machine.
COLUMNS = ("split", "scene", "mask", "seed", "method", "run", "missing", "hidden", "answered")
COLUMNS += ("psnr", "ssim", "mae", "crps", "sharpness")


@dataclass(frozen=True)
class Found:
    """Everything that a run of the benchmark came to know."""

    rows: Sequence[Row]
    runs: Sequence[Run]
    speed: Mapping[str, float]
    coherence: Sequence[Agreement]
    masks: int

    @property
    def main(self) -> list[Row]:
        """The rows of classical fillers and of the runs that stand for their nets."""
        aside = {run.method for run in self.runs if not run.main}
        return [row for row in self.rows if row.method not in aside]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """All scores as CSV."""
    covers = [f"cover{100 * level:.0f}" for level in tables.INTERVALS]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *covers])
        for row in rows:
            values = [getattr(row, c) for c in COLUMNS]
            values += [row.cover(level) for level in tables.INTERVALS]
            writer.writerow([_plain(v) for v in values])


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return value


def spoken(found: Found) -> str:
    """The claims, one a line."""
    return "\n".join(str(c) for c in claims.claims(found.rows, found.runs, found.coherence))


def page(found: Found, about: Mapping[str, object], log: str) -> str:
    """Markdown; `about` holds version, date and the default's sha256, `log` the OOD runs."""
    rows, runs, main = found.rows, found.runs, found.main
    asked = claims.claims(rows, runs, found.coherence)
    lines = [
        ["met", "what", "figures"],
        ["---"] * 3,
        *(["yes" if c.met else "**no**", c.text, c.figures] for c in asked),
    ]
    parts = [
        _TOP.format(**about, masks=found.masks, side=SIDE),
        f"## What was asked for\n\n{markdown(lines)}",
        f"## Where a rival wins\n\n{claims.defeats(main)}",
        f"{_WINS}\n\n{claims.wins(rows, runs)}",
        f"## Means over the OOD scenes and all kinds of gap\n\n{tables.means(main, OOD, GAPS)}",
        f"## Means over the validation scene\n\n{tables.means(main, VALIDATION, GAPS)}",
        *(_kind(main, kind) for kind in GAPS),
        f"## Calibration\n\n{_CALIBRATION}\n\n{tables.calibration(main)}",
        f"## What it costs\n\n{_COST}\n\n{tables.budget(runs, found.speed)}",
    ]
    if any(not run.main for run in runs):
        parts.append(f"## What each part brings\n\n{_ABLATION}\n\n{tables.ablation(rows, runs)}")
    if found.coherence:
        parts.append(f"## Draws\n\n{_DRAWS}\n\n{tables.coherence(found.coherence)}")
    parts += [f"## Pictures\n\n{_PICTURES}", f"## OOD runs\n\n{_LOG}\n\n{log}"]
    return "\n\n".join(parts) + "\n"


def _kind(rows: Sequence[Row], kind: str) -> str:
    wanted = [r for r in rows if r.mask == kind]
    return (
        f"## Every method: {GAPS[kind]}\n\nMean over the OOD scenes:\n\n"
        f"{tables.means(wanted, OOD, [kind])}\n\n"
        f"Each scene, PSNR / SSIM / MAE / CRPS:\n\n{tables.scenes(wanted, kind)}"
    )


_TOP = """# Results of the models

After this page you know which net, and which classical filler, fills what kind of gap best, on
scenes that none of them was trained on; what each costs; and how far its standard deviation can be
trusted.

Written by `python -m benchmarks.models` (xinpaint {version}, {date}, weights `{sha256}`); the
single scores are in `results-models.csv`. Do not edit.

`convnp` is the shipped default, asked for space alone; its training was longer than that of the
other nets. These were trained alike, by the recipes in `xinpaint/recipes/paper` (same data, same
masks, about the same time, see [what it costs](#what-it-costs)), so compare them with one another.
Choices and calibration looked at the validation scene only. OOD scenes, stretch and metrics are
those of [results](results.md); masks of each kind a scene: {masks}. The validation scene gives as
many windows of {side} pixels. The CRPS of a method without a spread is its MAE.

Figures are means over scenes and masks; ± is the standard deviation over masks and, in brackets,
over training seeds, where a net has several. Seeds after the first are scored under the first OOD
mask of each kind and on all of the validation scene."""

_WINS = "Of the nets trained alike, in how many OOD cases (scene, gaps) each is the best:"

_CALIBRATION = """Share of hidden pixels inside the central 50 / 90 / 95 % interval (of Student's t
with four degrees of freedom, see `xinpaint.core.intervals`); the width of the 90 % one is in units
of the stretched range (narrower is better, if the coverage is right).

![Reliability](images/models-reliability.png)"""

_COST = """Training time is processor seconds. Throughput is that of one thread on six bands of
256 × 256 pixels, a quarter of them missing, all methods in one run. The parameters of `convnp`
count the part that looks at other dates."""

_ABLATION = """The same net trained on one term of the loss or on both, with levels (how the local
mean changes across a pixel and far around it) and without, on the cases that all were scored
under."""

_DRAWS = f"""Correlation of hidden values some pixels apart, for the first mask of
{" and ".join(WHERE)} gaps of each OOD scene, {COUNT} draws each, as
`ds.inpaint.convnp(samples=...)` gives them; what their errors have in common was measured on the
validation scene."""

_PICTURES = """![Every method on one window](images/models.png)

From left to right what was observed, each method, the truth; below a method its error and its
standard deviation, from 0 (white) to 0.3 of the stretched range (black), mean over bands."""

_LOG = """Every weights file that this page was the first to score on these cases is entered, with
its gains over the four classical fillers above under `real` and `edge` gaps."""
