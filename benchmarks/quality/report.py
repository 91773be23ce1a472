"""Rows -> gains over the best rival -> tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.quality.scenes import KINDS
from benchmarks.quality.scoring import RIVALS, Row

OWN = "convnp"
#: Metric -> +1 where more is better.
METRICS = {"psnr": 1, "ssim": 1, "mae": -1}
LOG_COLUMNS = ("date", "weights_sha256", "masks", "gain_psnr", "gain_ssim", "better", "coverage90")


@dataclass(frozen=True)
class Gain:
    """`convnp` against the best rival of one case (scene, mask kind) and metric."""

    scene: str
    mask: str
    metric: str
    rival: str
    best: float
    own: float
    spread: float

    @property
    def value(self) -> float:
        """How much better `convnp` is; negative where it is worse."""
        return METRICS[self.metric] * (self.own - self.best)


def pick(rows: Iterable[Row], **wanted: str) -> list[Row]:
    """The rows whose fields are as wanted."""
    return [r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())]


def mean_of(rows: Sequence[Row], metric: str) -> float:
    """Mean over masks."""
    return fmean(getattr(r, metric) for r in rows)


def spread_of(values: list[float]) -> float:
    """Standard deviation over masks, 0 for one mask."""
    return stdev(values) if len(values) > 1 else 0.0


def gains(rows: Sequence[Row], own: str = OWN, rivals: Iterable[str] = tuple(RIVALS)) -> list[Gain]:
    """One for each scene, mask kind and metric; the best rival is so in the mean over masks."""
    rivals = list(rivals)
    found = []
    for scene, mask in sorted({(r.scene, r.mask) for r in rows}):
        case = pick(rows, scene=scene, mask=mask)
        mine = sorted(pick(case, method=own), key=lambda r: r.seed)
        for metric, sign in METRICS.items():
            scores = {m: sign * mean_of(pick(case, method=m), metric) for m in rivals}
            rival = max(scores, key=scores.__getitem__)
            theirs = sorted(pick(case, method=rival), key=lambda r: r.seed)
            by_mask = [
                getattr(a, metric) - getattr(b, metric) for a, b in zip(mine, theirs, strict=True)
            ]
            best = sign * scores[rival]
            spread = spread_of(by_mask)
            found.append(Gain(scene, mask, metric, rival, best, mean_of(mine, metric), spread))
    return found


def pooled_coverage(rows: Iterable[Row], own: str = OWN) -> float:
    """Share of all hidden pixels inside the central 90 % interval."""
    mine = pick(rows, method=own)
    return sum(r.coverage * r.hidden for r in mine) / sum(r.hidden for r in mine)


def summary(
    rows: Sequence[Row], own: str = OWN, rivals: Iterable[str] = tuple(RIVALS)
) -> dict[str, float | str]:
    """Mean gains, how many cases are better in PSNR and SSIM both, pooled coverage."""
    found = gains(rows, own, rivals)
    by = {m: [g.value for g in found if g.metric == m] for m in METRICS}
    both = sum(p > 0 and s > 0 for p, s in zip(by["psnr"], by["ssim"], strict=True))
    return {
        "gain_psnr": round(fmean(by["psnr"]), 3),
        "gain_ssim": round(fmean(by["ssim"]), 4),
        "better": f"{both}/{len(by['psnr'])}",
        "coverage90": round(pooled_coverage(rows, own), 4),
    }


def gain_table(rows: list[Row]) -> str:
    """Markdown: a line for each case, the best rival of each metric beside `convnp`."""
    found = {(g.scene, g.mask, g.metric): g for g in gains(rows)}
    head = ["scene", "gaps", "missing", "best rival, PSNR", "convnp", "gain, dB"]
    head += ["best rival, SSIM", "convnp", "gain", "MAE gain", "CRPS", "90 % covers"]
    lines = [head, ["---"] * len(head)]
    for scene, mask in sorted({(g.scene, g.mask) for g in found.values()}):
        p, s, m = (found[scene, mask, metric] for metric in METRICS)
        own = pick(rows, scene=scene, mask=mask, method=OWN)
        lines.append(
            [
                scene,
                mask,
                f"{mean_of(own, 'missing'):.0%}",
                f"{p.best:.2f} ({p.rival})",
                f"{p.own:.2f}",
                f"**{p.value:+.2f}** ± {p.spread:.2f}",
                f"{s.best:.4f} ({s.rival})",
                f"{s.own:.4f}",
                f"**{s.value:+.4f}** ± {s.spread:.4f}",
                f"{m.value:+.4f}",
                f"{mean_of(own, 'crps'):.4f}",
                f"{mean_of(own, 'coverage'):.1%}",
            ]
        )
    return markdown(lines)


def method_table(rows: list[Row], mask: str) -> str:
    """Markdown: PSNR / SSIM / MAE of every method on every scene, mean ± spread over masks."""
    scenes = sorted({r.scene for r in rows})
    lines = [["method", *scenes], ["---"] * (1 + len(scenes))]
    for method in [*RIVALS, OWN]:
        cells = [method]
        for scene in scenes:
            case = pick(rows, scene=scene, mask=mask, method=method)
            psnr = [r.psnr for r in case]
            cells.append(
                f"{fmean(psnr):.2f} ± {spread_of(psnr):.2f} / "
                f"{mean_of(case, 'ssim'):.4f} / {mean_of(case, 'mae'):.4f}"
            )
        lines.append(cells)
    return markdown(lines)


def write_rows(path: Path, rows: list[Row]) -> None:
    """All scores as CSV; the seconds are left out, they belong to the machine."""
    columns = [f.name for f in fields(Row) if f.name != "seconds"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _number(v) for k, v in asdict(row).items()})


def append_log(path: Path, entry: dict[str, object]) -> list[dict[str, str]]:
    """Add one scoring of the OOD scenes to their log, and return the whole log."""
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, LOG_COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(entry)
    return read_log(path)


def read_log(path: Path) -> list[dict[str, str]]:
    """Every scoring of the OOD scenes so far."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def page(rows: list[Row], log: list[dict[str, str]], about: dict[str, object]) -> str:
    """The whole of docs/results.md."""
    told = summary(rows)
    last = [LOG_COLUMNS, ["---"] * len(LOG_COLUMNS), *([e[c] for c in LOG_COLUMNS] for e in log)]
    tables = [f"## Every method: {KINDS[k]}\n\n{method_table(rows, k)}" for k in KINDS]
    return _PAGE.format(
        **told,
        **about,
        cases=len({(r.scene, r.mask) for r in rows}),
        gains=gain_table(rows),
        tables="\n\n".join(tables),
        log=markdown(last),
    )


def _number(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def markdown(lines: Iterable[Iterable[object]], cell: Callable[[object], str] = str) -> str:
    return "\n".join("| " + " | ".join(cell(c) for c in line) + " |" for line in lines)


_PAGE = """# Results

After this page you can say how well each method fills real gaps without other dates, and repeat the
measurement.

Written by `python -m benchmarks.quality` (xinpaint {version}, {date}, weights `{sha256}`); the
single scores are in `results.csv`. Do not edit.

Over {cases} cases (a scene under a kind of gap, {seeds} masks each) `convnp` gains
**{gain_psnr:+.2f} dB** PSNR and **{gain_ssim:+.4f}** SSIM in the mean over the best rival *of each
case and metric*, and is better in both on **{better}**. Its central 90 % interval covers
**{coverage90:.1%}** of all hidden pixels.

## How it is measured

Four Landsat scenes of places, and two sensors, that no weight has been trained or chosen on. Each
band is stretched by its 1st and 99th percentile to 0-1; pixels are hidden under a gap mask, and
only hidden pixels count: PSNR (data range 1), MAE, CRPS and the share inside the central 90 %
interval, each band by itself, then the mean over bands. SSIM is that of the composed image. The
masks are windows of real SLC-off gaps (`real`) and simulated stripes at the edge of the scan
(`edge`), the same for every method. Rivals run through the same code as a user's call, on values
in the scene's own unit. ± is the standard deviation over masks (of the gain: mask by mask). The
best rival is the one that is best in the mean over masks; the metrics may name different ones.

## Gains

{gains}

{tables}

Each cell: PSNR in dB ± its spread / SSIM / MAE.

## OOD runs

Scoring a scene often enough is a way of training on it, so each time is written down.

{log}
"""
