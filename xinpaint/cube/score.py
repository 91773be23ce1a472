"""Score methods on the user's own cube, so that nobody has to believe us."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from xinpaint.core import metrics
from xinpaint.core.task import Fill, Task
from xinpaint.cube import masking, schema
from xinpaint.cube.calendar import suited
from xinpaint.cube.schema import Cube, Group, Mask
from xinpaint.cube.score_masks import MASKS, check
from xinpaint.errors import SchemaError
from xinpaint.methods.base import Filler

#: Bounds of the window that is scored, so that it takes little time on a cube of any size.
SIDE, DATES = 512, 3
#: Dates before and after these that methods may look at.
OTHERS = 6
#: Bounds of what is looked through for that window.
_SEARCH_SIDE, _SEARCH_DATES, _SAMPLE = 4096, 12, 16

_SCORES = {
    "psnr": "peak signal-to-noise ratio of the hidden pixels, dB",
    "ssim": "structural similarity of the composed image",
    "mae": "mean absolute error of the hidden pixels, stretched 0-1",
    "crps": "continuous ranked probability score, stretched 0-1",
    "coverage": "share of hidden pixels in the central 90 % interval",
    "coverage50": "the same, 50 %",
    "coverage95": "the same, 95 %",
    "answered": "share of hidden pixels that the method answered",
    "compared": "share of hidden pixels that every method answered, on which it is scored",
}


@dataclass(frozen=True, eq=False)
class _Window:
    """A window in memory: values as float32 and what was observed, ``[t b y x]``.

    `scored` are the dates that are, among those that methods may look at.
    """

    labels: tuple[str, ...]
    values: NDArray[np.float32]
    seen: NDArray[np.bool_]
    days: NDArray[np.float64]
    origin: tuple[int, int]
    scored: slice


def score(
    obj: xr.Dataset | xr.DataArray,
    fillers: Mapping[str, Filler],
    *,
    masks: str | Sequence[str] = ("scan_lines", "clouds"),
    seed: int = 0,
    observed: Mask = None,
) -> xr.Dataset:
    """Hide observed pixels under realistic gaps and measure how well methods find them again.

    A window of at most 512 by 512 pixels and three neighbouring dates is scored: the one with the
    most observed pixels. A method that looks at other dates may see six more before and after
    these. Each band and date is stretched by the 1st and 99th percentile of its observed pixels
    to 0-1. Hidden pixels of all dates are pooled; methods are compared on those that every method
    answered, but for methods that answered none.

    Parameters
    ----------
    obj, observed
        As in `xinpaint.cube.inpaint.inpaint`.
    fillers : mapping of str to Filler
    masks : sequence of {"scan_lines", "clouds"}
    seed : int
        Same seed, same gaps.

    Returns
    -------
    Dataset
        Over (method, mask, variable): psnr, ssim, mae, answered and compared; crps and coverage
        (of the central 90 %, 50 % and 95 %), NaN where a method has no standard deviation.

    Raises
    ------
    SchemaError
        Where the cube does not fit or holds no observed pixel.
    MethodError
        Where no method or an unknown mask was asked for, or the seed is below 0.

    Examples
    --------
    >>> from xinpaint.methods.table import METHODS
    >>> ds = xinpaint.tutorial.open_cube(dates=1, size=64)[["red"]]
    >>> table = score(ds, {"telea": METHODS["telea"]()}, masks="clouds")
    >>> float(table.answered.squeeze())
    1.0
    """
    masks = [masks] if isinstance(masks, str) else list(masks)
    check(fillers, masks, seed)
    cube = schema.read(obj, observed=observed)
    fillers = {name: suited(cube, filler) for name, filler in fillers.items()}
    windows = [_window(cube, group) for group in cube.groups]
    labels = [label for window in windows for label in window.labels]
    shape = (len(fillers), len(masks), len(labels))
    table = {name: np.full(shape, np.nan) for name in _SCORES}
    with tqdm(total=len(fillers) * len(masks) * len(windows), disable=None, unit="fill") as bar:
        for column, mask in enumerate(masks):
            first = 0
            for window in windows:
                bands = slice(first, first := first + len(window.labels))
                for key, values in _compare(window, mask, seed, fillers, bar).items():
                    table[key][:, column, bands] = values
    return xr.Dataset(
        {
            key: (("method", "mask", "variable"), values, {"long_name": _SCORES[key]})
            for key, values in table.items()
        },
        coords={"method": list(fillers), "mask": list(masks), "variable": labels},
        attrs={"seed": seed},
    )


def _hide(window: _Window, mask: str, seed: int) -> NDArray[np.bool_]:
    """Draw a gap for each scored date; the observed pixels under it, in all bands, are hidden."""
    dates, _, *plane = window.seen[window.scored].shape
    hidden = np.zeros_like(window.seen)
    drawn = [MASKS[mask]((plane[0], plane[1]), seed=seed + date) for date in range(dates)]
    hidden[window.scored] = window.seen[window.scored] & np.stack(drawn)[:, None]
    return hidden


def _compare(
    window: _Window, mask: str, seed: int, fillers: Mapping[str, Filler], bar: tqdm[None]
) -> dict[str, NDArray[np.float64]]:
    """Score all methods under one mask, ``[method band]`` for each metric."""
    hidden = _hide(window, mask, seed)
    fills = []
    for name, filler in fillers.items():
        bar.set_postfix_str(f"{name}, {mask}")
        fills.append(_fill(window, hidden, filler))
        bar.update()
    truth, seen = window.values[window.scored], window.seen[window.scored]
    gap = hidden[window.scored]
    answers = np.stack([gap & np.isfinite(fill.mean) for fill in fills])
    some = answers.any(axis=(1, 3, 4), keepdims=True)
    shared = (answers | ~some).all(axis=0)
    rows = []
    count = gap.sum(axis=(0, 2, 3))
    for fill, answered in zip(fills, answers, strict=True):
        done = _measure(truth, seen, fill, answered & shared)
        for name, part in (("answered", answered), ("compared", answered & shared)):
            share = part.sum(axis=(0, 2, 3)) / np.maximum(count, 1)
            done[name] = np.where(count > 0, share, np.nan)
        rows.append(done)
    return {key: np.stack([row[key] for row in rows]) for key in _SCORES}


def _fill(window: _Window, hidden: NDArray[np.bool_], filler: Filler) -> Fill:
    """The scored dates as a method fills them; one of space is not handed the other dates."""
    dates = window.scored if filler.halo.t == 0 else slice(None)
    context = window.seen[dates] & ~hidden[dates]
    values = np.where(context, window.values[dates], np.float32(0))
    fill = filler.fill(Task(values, context, hidden[dates], window.days[dates], window.origin))
    if filler.halo.t == 0:
        return fill
    std = None if fill.std is None else fill.std[window.scored]
    return Fill(fill.mean[window.scored], std)


def _measure(
    truth: NDArray[np.float32],
    seen: NDArray[np.bool_],
    fill: Fill,
    scored: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """Score one method; one number a band for each metric."""
    rows = []
    for band in range(truth.shape[1]):
        std = None if fill.std is None else fill.std[:, band].astype(np.float64)
        mean = fill.mean[:, band].astype(np.float64)
        told = truth[:, band].astype(np.float64)
        rows.append(_measure_band(told, seen[:, band], mean, std, scored[:, band]))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def _measure_band(
    truth: NDArray[np.float64],
    seen: NDArray[np.bool_],
    mean: NDArray[np.float64],
    std: NDArray[np.float64] | None,
    scored: NDArray[np.bool_],
) -> dict[str, float]:
    """Score one band in place, ``[t y x]``."""
    similar = []
    for date in range(len(truth)):
        if not seen[date].any():
            continue
        low, high = metrics.stretch(truth[date], seen[date])
        truth[date] = np.where(seen[date], (truth[date] - low) / (high - low), 0)
        mean[date] = (mean[date] - low) / (high - low)
        if std is not None:
            std[date] /= high - low
        if scored[date].any():
            image = np.where(scored[date], mean[date], truth[date])
            similar.append(metrics.ssim(truth[date], image, seen[date]))
    scores = dict.fromkeys(_SCORES, float("nan"))
    if not scored.any():
        return scores
    scores["psnr"] = metrics.psnr(truth, mean, scored)
    scores["mae"] = metrics.mae(truth, mean, scored)
    scores["ssim"] = float(np.mean(similar))
    if std is not None:
        scores["crps"] = metrics.crps(truth, mean, std, scored)
        scores["coverage"] = metrics.coverage(truth, mean, std, scored)
        scores["coverage50"] = metrics.coverage(truth, mean, std, scored, 0.5)
        scores["coverage95"] = metrics.coverage(truth, mean, std, scored, 0.95)
    return scores


def _window(cube: Cube, group: Group) -> _Window:
    """Read the window with the most observed pixels; only it is kept in memory."""
    scored, rows, cols = _best(group)
    dates = slice(max(0, scored.start - OTHERS), scored.stop + OTHERS)
    values, seen, labels = [], [], []
    for layer in group.layers:
        cut = (dates, slice(None), rows, cols)
        raw = np.asarray(layer.values[cut])
        said = None if layer.observed is None else np.asarray(layer.observed[cut])
        values.append(raw.astype(np.float32))
        seen.append(masking.observed(raw, said, layer.nodata))
        labels += _names(cube, layer.name, group.dims.band, raw.shape[1])
    found = np.concatenate(seen, axis=1)
    scored = slice(scored.start - dates.start, scored.stop - dates.start)
    if not found[scored].any():
        raise SchemaError(
            f"found no observed pixel in {[layer.name for layer in group.layers]}; check nodata, "
            "the quality variable or observed="
        )
    return _Window(
        tuple(labels),
        np.concatenate(values, axis=1),
        found,
        group.days[dates],
        (rows.start, cols.start),
        scored,
    )


def _names(cube: Cube, name: Hashable, band: Hashable | None, count: int) -> list[str]:
    if band is None:
        return [str(name)]
    labels = cube.dataset[band].values if band in cube.dataset.coords else np.arange(count)
    return [f"{name}_{label}" for label in labels]


def _best(group: Group) -> tuple[slice, slice, slice]:
    """Find dates, rows and columns of the most observed window, by the first band's sample."""
    layer = group.layers[0]
    t, _, y, x = layer.values.shape
    date = max(0, (t - _SEARCH_DATES) // 2)
    row, col = (max(0, (size - _SEARCH_SIDE) // 2) for size in (y, x))
    cut: tuple[Any, ...] = (
        slice(date, date + _SEARCH_DATES),
        slice(0, 1),
        slice(row, row + _SEARCH_SIDE, _SAMPLE),
        slice(col, col + _SEARCH_SIDE, _SAMPLE),
    )
    said = None if layer.observed is None else np.asarray(layer.observed[cut])
    seen = masking.observed(np.asarray(layer.values[cut]), said, layer.nodata)[:, 0]
    best, count = (0, 0, 0), -1
    step, wide = SIDE // 2 // _SAMPLE, SIDE // _SAMPLE
    for first in range(max(1, seen.shape[0] - DATES + 1)):
        for down in range(0, max(1, seen.shape[1] - wide + step), step):
            for right in range(0, max(1, seen.shape[2] - wide + step), step):
                part = seen[first : first + DATES, down : down + wide, right : right + wide]
                if int(part.sum()) > count:
                    best, count = (first, down, right), int(part.sum())
    first, down, right = best[0] + date, best[1] * _SAMPLE + row, best[2] * _SAMPLE + col
    down, right = min(down, max(0, y - SIDE)), min(right, max(0, x - SIDE))
    return (
        slice(first, min(first + DATES, t)),
        slice(down, min(down + SIDE, y)),
        slice(right, min(right + SIDE, x)),
    )
