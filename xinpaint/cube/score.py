"""Score methods on the user's own cube, so that nobody has to believe us."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import masks as gap_masks
from xinpaint.core import metrics
from xinpaint.core.task import Fill, Task
from xinpaint.cube import masking, schema
from xinpaint.cube.calendar import suited
from xinpaint.cube.schema import Cube, Group, Mask
from xinpaint.errors import MethodError, SchemaError
from xinpaint.methods.base import Filler

#: Bounds of the window that is scored, so that it takes seconds on a cube of any size.
SIDE, DATES = 512, 3
#: Bounds of what is looked through for that window.
_SEARCH_SIDE, _SEARCH_DATES, _SAMPLE = 4096, 12, 16

_MASKS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "scan_lines": gap_masks.scan_lines,
    "clouds": gap_masks.clouds,
}
_SCORES = {
    "psnr": "peak signal-to-noise ratio of the hidden pixels, dB",
    "ssim": "structural similarity of the composed image",
    "mae": "mean absolute error of the hidden pixels, stretched 0-1",
    "crps": "continuous ranked probability score, stretched 0-1",
    "coverage": "share of hidden pixels in the central 90 % interval",
    "coverage50": "the same, 50 %",
    "coverage95": "the same, 95 %",
    "answered": "share of hidden pixels that the method answered; the others are not scored",
}


@dataclass(frozen=True, eq=False)
class _Window:
    """A window in memory: values as float32 and what was observed, ``[t b y x]``."""

    labels: tuple[str, ...]
    values: NDArray[np.float32]
    seen: NDArray[np.bool_]
    days: NDArray[np.float64]
    origin: tuple[int, int]


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
    most observed pixels. Each band and date is stretched by the 1st and 99th percentile of its
    observed pixels to 0-1. Hidden pixels of all dates are pooled.

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
        Over (method, mask, variable): psnr, ssim, mae and answered; crps and coverage (of the
        central 90 %, 50 % and 95 %), NaN where a method has no standard deviation.

    Raises
    ------
    SchemaError
        Where the cube does not fit or holds no observed pixel.
    MethodError
        Where no method or an unknown mask was asked for.

    Examples
    --------
    >>> from xinpaint.methods.table import METHODS
    >>> ds = xinpaint.tutorial.open_cube(dates=1, size=64)[["red"]]
    >>> table = score(ds, {"telea": METHODS["telea"]()}, masks="clouds")
    >>> float(table.answered.squeeze())
    1.0
    """
    masks = [masks] if isinstance(masks, str) else list(masks)
    unknown = [name for name in masks if name not in _MASKS]
    if not masks:
        raise MethodError(f"no mask to score under; name at least one of {sorted(_MASKS)}")
    if unknown:
        raise MethodError(f"unknown masks {unknown}; wanted some of {sorted(_MASKS)}")
    if not fillers:
        raise MethodError("no method to score; name at least one")
    cube = schema.read(obj, observed=observed)
    fillers = {name: suited(cube, filler) for name, filler in fillers.items()}
    windows = [_window(cube, group) for group in cube.groups]
    labels = [label for window in windows for label in window.labels]
    shape = (len(fillers), len(masks), len(labels))
    table = {name: np.full(shape, np.nan) for name in _SCORES}
    for column, mask in enumerate(masks):
        first = 0
        for window in windows:
            hidden = _hide(window, mask, seed)
            for row, filler in enumerate(fillers.values()):
                for key, values in _measure(window, hidden, filler).items():
                    table[key][row, column, first : first + len(window.labels)] = values
            first += len(window.labels)
    return xr.Dataset(
        {
            key: (("method", "mask", "variable"), values, {"long_name": _SCORES[key]})
            for key, values in table.items()
        },
        coords={"method": list(fillers), "mask": list(masks), "variable": labels},
        attrs={"seed": seed},
    )


def _hide(window: _Window, mask: str, seed: int) -> NDArray[np.bool_]:
    """Draw a gap for each date; the observed pixels under it, in all bands, are hidden."""
    t, _, *plane = window.seen.shape
    drawn = [_MASKS[mask]((plane[0], plane[1]), seed=seed + date) for date in range(t)]
    return window.seen & np.stack(drawn)[:, None]


def _measure(
    window: _Window, hidden: NDArray[np.bool_], filler: Filler
) -> dict[str, NDArray[np.float64]]:
    """Score one method under one mask; one number a band for each metric."""
    context = window.seen & ~hidden
    values = np.where(context, window.values, np.float32(0))
    fill = filler.fill(Task(values, context, hidden, window.days, window.origin))
    rows = [_measure_band(window, hidden, fill, band) for band in range(len(window.labels))]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def _measure_band(
    window: _Window, hidden: NDArray[np.bool_], fill: Fill, band: int
) -> dict[str, float]:
    truth, mean = window.values[:, band].astype(np.float64), fill.mean[:, band].astype(np.float64)
    std = None if fill.std is None else fill.std[:, band].astype(np.float64)
    seen, gap = window.seen[:, band], hidden[:, band]
    answered = gap & np.isfinite(mean)
    similar = []
    for date in range(len(truth)):
        if not seen[date].any():
            continue
        low, high = metrics.stretch(truth[date], seen[date])
        truth[date] = np.where(seen[date], (truth[date] - low) / (high - low), 0)
        mean[date] = (mean[date] - low) / (high - low)
        if std is not None:
            std[date] /= high - low
        if answered[date].any():
            image = np.where(answered[date], mean[date], truth[date])
            similar.append(metrics.ssim(truth[date], image, seen[date]))
    scores = dict.fromkeys(_SCORES, float("nan"))
    scores["answered"] = float(answered.sum() / gap.sum()) if gap.any() else float("nan")
    if not answered.any():
        return scores
    scores["psnr"] = metrics.psnr(truth, mean, answered)
    scores["mae"] = metrics.mae(truth, mean, answered)
    scores["ssim"] = float(np.mean(similar))
    if std is not None:
        scores["crps"] = metrics.crps(truth, mean, std, answered)
        scores["coverage"] = metrics.coverage(truth, mean, std, answered)
        scores["coverage50"] = metrics.coverage(truth, mean, std, answered, 0.5)
        scores["coverage95"] = metrics.coverage(truth, mean, std, answered, 0.95)
    return scores


def _window(cube: Cube, group: Group) -> _Window:
    """Read the window with the most observed pixels; only it is kept in memory."""
    dates, rows, cols = _best(group)
    values, seen, labels = [], [], []
    for layer in group.layers:
        cut = (dates, slice(None), rows, cols)
        raw = np.asarray(layer.values[cut])
        said = None if layer.observed is None else np.asarray(layer.observed[cut])
        values.append(raw.astype(np.float32))
        seen.append(masking.observed(raw, said, layer.nodata))
        labels += _names(cube, layer.name, group.dims.band, raw.shape[1])
    found = np.concatenate(seen, axis=1)
    if not found.any():
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
