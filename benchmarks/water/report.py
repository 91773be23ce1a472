"""Rows -> tables -> docs/results-water.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import fmean

import numpy as np

import xinpaint
from benchmarks.water.scoring import NO_FILL, Row
from xinpaint.core import classes

Measure = Callable[[np.ndarray], float]


def mean_iou(table: np.ndarray) -> float:
    return float(np.nanmean(classes.iou(table)))


def macro_f1(table: np.ndarray) -> float:
    return float(np.nanmean(classes.f1(table)))


def iou_of(code: int) -> Measure:
    return lambda table: float(classes.iou(table)[code])


def by_scene(rows: Iterable[Row], measure: Measure, *, seen: bool = False) -> float:
    """A measure of each scene's years together, then the mean over scenes and cloud."""
    pooled: dict[tuple[str, float], np.ndarray] = {}
    for row in rows:
        key = row.scene, row.cloud
        pooled[key] = pooled.get(key, 0) + (row.seen_table if seen else row.table)
    return fmean(measure(table) for table in pooled.values())


def fills(rows: list[Row], teller: str) -> str:
    """A line a way to fill: mean IoU at each share of cloud, then means over all of them."""
    clouds = sorted({row.cloud for row in rows})
    shares = [fmean(r.missing for r in rows if r.cloud == cloud) for cloud in clouds]
    head = ["months come as", *(f"{share:.0%} missing" for share in shares)]
    head += ["mean mIoU", "macro-F1", "IoU not water", "IoU seasonal", "IoU permanent"]
    lines = [head, ["---"] * len(head)]
    for fill in dict.fromkeys(row.fill for row in rows):
        own = [row for row in rows if row.fill == fill and row.teller == teller]
        line = [by_scene([r for r in own if r.cloud == cloud], mean_iou) for cloud in clouds]
        overall = by_scene(own, mean_iou)
        line_after = [by_scene(own, m) for m in (macro_f1, *(iou_of(code) for code in range(3)))]
        words = [f"{v:.3f}" for v in line] + [f"**{overall:.3f}**"]
        lines.append([fill, *words, *(f"{v:.3f}" for v in line_after)])
    return _markdown(lines)


def rivals(rows: list[Row], cloud: float = 0.3) -> str:
    """Net and counting straight from the gappy months, on pixels that some month saw."""
    head = ["scene", "macro-F1 `unet3d`", "count", "IoU seasonal `unet3d`", "count"]
    lines = [head, ["---"] * len(head)]
    chosen = [r for r in rows if r.cloud == cloud and r.fill == NO_FILL]
    if not chosen:
        return "(not drawn)"
    for scene in (*dict.fromkeys(r.scene for r in chosen), ""):
        own = [r for r in chosen if scene in ("", r.scene)]
        cells = [
            by_scene([r for r in own if r.teller == teller], measure, seen=True)
            for measure in (macro_f1, iou_of(1))
            for teller in ("unet3d", "count")
        ]
        name = scene or "**mean**"
        lines.append([name, *(f"{v:.3f}" for v in cells)])
    return _markdown(lines)


def calibration(rows: list[Row]) -> str:
    """Expected calibration error of the net by how the months come: scenes pooled, and each."""
    scenes = list(dict.fromkeys(row.scene for row in rows))
    head = ["months come as", "calibration error", *scenes]
    lines = [head, ["---"] * len(head)]
    for fill in dict.fromkeys(row.fill for row in rows):
        own = [(r.scene, r.reliability) for r in rows if r.fill == fill]
        tables = [
            np.sum([t for s, t in own if t is not None and scene in ("", s)], axis=0)
            for scene in ("", *scenes)
        ]
        lines.append([fill, *(f"{classes.calibration_error(t):.3f}" for t in tables)])
    return _markdown(lines)


def page(rows: list[Row], sha256: str, seeds: int) -> str:
    """The whole of docs/results-water.md."""
    return _PAGE.format(
        version=xinpaint.__version__,
        sha256=sha256[:12],
        seeds=seeds,
        net=fills(rows, "unet3d"),
        count=fills(rows, "count"),
        rivals=rivals(rows),
        calibration=calibration(rows),
    )


def _markdown(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


_PAGE = """# Results: water

After this page you can choose what to do with gaps before seasonality is told.

Written by `python -m benchmarks.water` (xinpaint {version}, weights `{sha256}`). Do not edit.

Classes of a whole year are told from three of its months. The years are simulated on real scenes,
as [Water](water.md) says: four scenes of three sensors, lakes whose shores took no part in
training, and gaps of another SLC-off scene, with {seeds} years a scene. Each month has scan-line
gaps and, beside them, no cloud, 15 %, 30 % or 50 %. Truth is the year's levels of water; pixels of
which even that is unsure (shores of the scenes' own water, shadow) do not count. All figures are
means over scenes and shares of cloud.

## After each filler, told by the net

{net}

`no fill`: the gappy months go to the net as they are, with what was seen of them. A pixel that
nobody saw is told from its neighbours; `ds.water.seasonality()` calls such a pixel no data.

## The same, told by counting

Wet months among those seen, by `red_swir` above 0. A pixel that no month saw has no answer, and
counts as wrong.

{count}

## Net and counting on the same gappy months

30 % cloud beside the scan-line gaps; pixels that at least one of the three months saw.

{rivals}

## Calibration

How far the probability of the likeliest class is from its hit rate, in 15 bins, all shares of
cloud pooled.

{calibration}
"""
