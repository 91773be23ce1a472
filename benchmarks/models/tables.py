"""Rows -> tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from benchmarks.models.coherence import LAGS, Agreement
from benchmarks.models.runs import OWN, Run
from benchmarks.models.scoring import HELD, OOD, VALIDATION, Row
from benchmarks.quality.report import markdown, pick, spread_of

#: Metric -> (+1 where more is better, format).
METRICS = {"psnr": (1, ".2f"), "ssim": (1, ".4f"), "mae": (-1, ".4f"), "crps": (-1, ".4f")}
#: Intervals of the calibration table.
INTERVALS = (0.5, 0.9, 0.95)
NONE = "-"


def one_run(rows: Iterable[Row]) -> list[Row]:
    """Of each method the rows of its first training seed."""
    rows = list(rows)
    first: dict[str, int] = {}
    for row in rows:
        first[row.method] = min(row.run, first.get(row.method, row.run))
    return [row for row in rows if row.run == first[row.method]]


def mean_of(rows: Iterable[Row], metric: str) -> float:
    """Mean over scenes of the mean over their rows: a scene with more masks counts no more."""
    scenes: dict[str, list[float]] = {}
    for row in rows:
        scenes.setdefault(row.scene, []).append(getattr(row, metric))
    return fmean(fmean(values) for values in scenes.values()) if scenes else math.nan


def over_masks(rows: Sequence[Row], metric: str) -> float:
    """Standard deviation over masks of the mean over scenes and kinds of gap."""
    seeds = sorted({row.seed for row in rows})
    return spread_of([mean_of([r for r in rows if r.seed == k], metric) for k in seeds])


def over_runs(rows: Sequence[Row], metric: str) -> float:
    """Standard deviation over training seeds, on the masks that all of them were scored under."""
    runs = sorted({row.run for row in rows})
    if len(runs) < 2:
        return math.nan
    cases = [{_case(r) for r in rows if r.run == k} for k in runs]
    common = set.intersection(*cases)
    some = [r for r in rows if _case(r) in common]
    return spread_of([mean_of([r for r in some if r.run == k], metric) for k in runs])


def _case(row: Row) -> tuple[str, str, int]:
    return row.scene, row.mask, row.seed


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return NONE if math.isnan(value) else format(value, form)


def _cell(rows: Sequence[Row], metric: str) -> str:
    """``mean ± spread over masks``, and over training seeds where there are some."""
    main, form = one_run(rows), METRICS[metric][1]
    text = f"{number(mean_of(main, metric), form)} ± {over_masks(main, metric):{form}}"
    runs = over_runs(rows, metric)
    return text if math.isnan(runs) else f"{text} (± {runs:{form}})"


def methods_in(rows: Iterable[Row]) -> list[str]:
    """In the order in which they were scored."""
    return list(dict.fromkeys(row.method for row in rows))


def means(rows: Sequence[Row], split: str, kinds: Iterable[str]) -> str:
    """A line for each method: every metric over some kinds of gap, mean over scenes."""
    wanted = [r for r in pick(rows, split=split) if r.mask in set(kinds)]
    heads = [
        h + (" ↑" if s > 0 else " ↓") for h, (s, _) in zip(_HEADS, METRICS.values(), strict=True)
    ]
    lines = [["method", *heads], ["---"] * 5]
    best = {m: _best(one_run(wanted), m) for m in METRICS}
    for method in methods_in(wanted):
        own = pick(wanted, method=method)
        cells = [_strong(_cell(own, m), method == best[m]) for m in METRICS]
        lines.append([method, *cells])
    return markdown(lines)


_HEADS = ("PSNR, dB", "SSIM", "MAE", "CRPS")


def _strong(text: str, yes: bool) -> str:
    return f"**{text}**" if yes else text


def _best(rows: Sequence[Row], metric: str) -> str:
    """The method with the best mean."""
    sign = METRICS[metric][0]
    return max(methods_in(rows), key=lambda m: sign * mean_of(pick(rows, method=m), metric))


def scenes(rows: Sequence[Row], kind: str) -> str:
    """A line for each method: PSNR / SSIM / MAE / CRPS of each scene under one kind of gap."""
    wanted = pick(rows, mask=kind)
    names = sorted({r.scene for r in wanted}, key=lambda s: (s == HELD, s))
    lines = [["method", *names], ["---"] * (1 + len(names))]
    for method in methods_in(wanted):
        cells = []
        for scene in names:
            own = pick(wanted, method=method, scene=scene)
            rest = [f"{mean_of(one_run(own), m):.4f}" for m in ("ssim", "mae", "crps")]
            cells.append(" / ".join([_cell(own, "psnr"), *rest]))
        lines.append([method, *cells])
    return markdown(lines)


def pooled(rows: Iterable[Row], level: float) -> float:
    """Share of all hidden pixels inside the central interval of a level."""
    rows = list(rows)
    return sum(r.cover(level) * r.hidden for r in rows) / sum(r.hidden for r in rows)


def calibration(rows: Sequence[Row]) -> str:
    """Coverage of the central 50, 90 and 95 % interval: pooled over OOD, each scene; sharpness."""
    wanted = [r for r in one_run(rows) if not math.isnan(r.sharpness)]
    names = sorted({r.scene for r in wanted}, key=lambda s: (s == HELD, s))
    head = ["method", "OOD, pooled", *names, "90 % width, OOD", "90 % width, validation"]
    lines = [head, ["---"] * len(head)]
    for method in methods_in(wanted):
        own = pick(wanted, method=method)
        groups = [pick(own, split=OOD), *(pick(own, scene=s) for s in names)]
        cells = [" / ".join(f"{pooled(g, level):.1%}" for level in INTERVALS) for g in groups]
        widths = [mean_of(pick(own, split=s), "sharpness") for s in (OOD, VALIDATION)]
        lines.append([method, *cells, *(number(w, ".4f") for w in widths)])
    return markdown(lines)


def budget(runs: Sequence[Run], speed: Mapping[str, float]) -> str:
    """A line for each method: parameters, steps, training time, throughput."""
    base = speed.get("convcnp", math.nan)
    head = ["method", "parameters", "steps", "training seeds", "training, CPU s"]
    head += ["Mband-px/s", "of convcnp"]
    lines = [head, ["---"] * len(head)]
    for method, fast in speed.items():
        own = [r for r in runs if r.method == method]
        told = [NONE] * 4
        if own:
            seconds = [r.cpu_seconds for r in own if not math.isnan(r.cpu_seconds)]
            told = [f"{own[0].parameters:,}", f"{own[0].steps:,}", str(len(own))]
            told += [f"{fmean(seconds):,.0f}" if seconds else NONE]
        if method == OWN:
            told[1:] = ["see its card", "1", NONE]
        lines.append([method, *told, f"{fast:.2f}", number(fast / base, ".2f")])
    return markdown(lines)


def ablation(rows: Sequence[Row], runs: Sequence[Run]) -> str:
    """A line for each net, loss and seed, on the cases that all of them were scored under."""
    nets = dict.fromkeys(r.net for r in runs if not r.main)
    head = ["net", "loss", "steps", "seed", "PSNR, validation", "SSIM", "CRPS", "90 % covers"]
    head += ["PSNR, OOD", "SSIM", "CRPS", "90 % covers"]
    lines = [head, ["---"] * len(head)]
    for net in nets:
        own = [r for r in runs if r.net == net]
        told = {r.path: [w for w in rows if (w.method, w.run) == (r.method, r.seed)] for r in own}
        common = set.intersection(*({_case(w) for w in some} for some in told.values()))
        for run in own:
            cells: list[str] = [run.kind, run.loss, f"{run.steps:,}", str(run.seed)]
            for split in (VALIDATION, OOD):
                some = [w for w in told[run.path] if w.split == split and _case(w) in common]
                cells += [number(mean_of(some, m), METRICS[m][1]) for m in _TOLD]
                cells.append(f"{pooled(some, 0.9):.1%}" if some else NONE)
            lines.append(cells)
    return markdown(lines)


_TOLD = ("psnr", "ssim", "crps")


def coherence(found: Sequence[Agreement]) -> str:
    """Autocorrelation at each lag: of the truth, of draws and of the mean; mean over scenes."""
    head = ["method", "gaps", "of", "image", *(f"{lag} px" for lag in LAGS)]
    lines = [head, ["---"] * len(head)]
    images: dict[str, Callable[[Agreement], tuple[float, ...]]] = {
        "truth": lambda a: a.truth,
        "draws": lambda a: a.draws,
        "mean": lambda a: a.mean,
    }
    for place in dict.fromkeys((a.method, a.mask, a.of) for a in found):
        some = [a for a in found if (a.method, a.mask, a.of) == place]
        for name, get in images.items():
            values = [get(a) for a in some]
            if all(values):
                columns = [f"{fmean(v):.3f}" for v in zip(*values, strict=True)]
                lines.append([*place, name, *columns])
    return markdown(lines)
