"""Pictures that judge a fill against a truth: error beside uncertainty, coverage by distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import metrics
from xinpaint.core.task import FILLED, OBSERVED
from xinpaint.cube.bandwise import bandwise
from xinpaint.cube.drawing import at, check_grids, date_of, loaded, source
from xinpaint.errors import SchemaError
from xinpaint.plot import MISSING, RGB, _bar, _panels, _show, _spread, _ticks, _title, calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xinpaint.plot_figure import Picture

Plane = NDArray[np.float64]
#: Pixels to the nearest observed one: the upper ends of the groups that are told apart.
RINGS = (1, 2, 4, 8, 16, 32)


def errors(filled: xr.Dataset, truth: xr.Dataset, *, band: str = "red", time: int = 0) -> Picture:
    """Draw truth, fill, error and standard deviation of one band and date.

    Error and standard deviation share a unit and a scale, so that a pixel that is wrong without
    saying so stands out: dark in the one and pale in the other.

    Parameters
    ----------
    filled : Dataset
        With ``<band>``, ``<band>_provenance`` and, for the last panel, ``<band>_std``.
    truth : Dataset
        With ``<band>`` on the same grid and dates.
    band : str
        Its name.
    time : int
        Index of the date.

    Raises
    ------
    SchemaError
        If a band is not there, the grids or dates differ, or nothing was filled where the truth is
        known.

    Examples
    --------
    >>> figure = errors(filled, truth, band="nir")  # doctest: +SKIP
    """
    filled, truth = bandwise(filled), bandwise(truth)
    check_grids(filled, {"truth": truth}, band)
    also = [name for name in _spread([band]) if name in filled or name.endswith("_provenance")]
    view, real = loaded(at(filled, [band], time, also=also), at(truth, [band], time))
    true, made = real[band].values, view[band].values
    code, array = view[f"{band}_provenance"].values, view[band]
    judged = (code == FILLED) & np.isfinite(true) & np.isfinite(made)
    if not judged.any():
        raise SchemaError(
            f"nothing of {band!r} was filled on date {time} where the truth is known: there is "
            "no error to draw"
        )
    miss = np.where(judged, made - true, np.nan)
    std = view[f"{band}_std"].values if f"{band}_std" in view else None
    top = float(np.percentile(np.abs(miss[judged]), 99)) or 1.0
    figure, axes = _panels(3 if std is None else 4, 3 if std is None else 2, array)
    figure.set_figwidth(1.3 * figure.get_figwidth())  # room for colour bars and coordinates
    low, high = metrics.stretch(true, np.isfinite(true))
    gray: dict[str, Any] = {"cmap": "gray", "vmin": low, "vmax": high}
    for ax, title, plane in zip(axes, ("truth", "filled"), (true, made), strict=False):
        _map(figure, ax, title, plane, array, **gray)
    shades: dict[str, Any] = {"cmap": "PuOr", "vmin": -top, "vmax": top}
    _map(figure, axes[2], "filled − truth", miss, array, rest=0.93, **shades)
    if std is not None:
        known = np.where(code == FILLED, std, np.nan)
        shades = {"cmap": "Purples", "vmin": 0.0, "vmax": top}
        _map(figure, axes[3], "standard deviation", known, array, rest=0.93, **shades)
    _ticks(axes, array)
    unit = array.attrs.get("units", "unit of the band")
    figure.suptitle(
        f"{band}{date_of(filled[band], time)}, {unit}; judged: {int(judged.sum()):,} pixels"
    )
    return figure


def reliability(filled: xr.Dataset, truth: xr.Dataset, *, bands: Sequence[str] = RGB) -> Picture:
    """Draw how often the truth falls inside intervals of each size, over all filled pixels.

    Parameters
    ----------
    filled : Dataset
        With ``<band>``, ``<band>_std`` and ``<band>_provenance``.
    truth : Dataset
        With the bands on the same grid and dates.
    bands : sequence of str
        Pooled; each in its own unit.

    Raises
    ------
    SchemaError
        If a variable is not there, the grids or dates differ, or no filled pixel has a truth.

    Examples
    --------
    >>> figure = reliability(filled, truth, bands=["red"])  # doctest: +SKIP
    """
    true, made, std, _ = _pooled(filled, truth, bands)
    return calibration(true, made, std)


def coverage_by_distance(
    filled: xr.Dataset,
    truth: xr.Dataset,
    *,
    bands: Sequence[str] = RGB,
    level: float = 0.9,
) -> Picture:
    """Draw how often the truth falls inside the central interval, by distance to context.

    Parameters
    ----------
    filled, truth, bands
        As for `reliability`.
    level : float
        Size of the interval, 0 to 1.

    Raises
    ------
    SchemaError
        If a variable is not there, the grids or dates differ, no filled pixel has a truth, or
        `level` is not in (0, 1).

    Examples
    --------
    >>> figure = coverage_by_distance(filled, truth, level=0.5)  # doctest: +SKIP
    """
    if not 0 < level < 1:
        raise SchemaError(f"level = {level}: wanted a share between 0 and 1, such as 0.9")
    true, made, std, away = _pooled(filled, truth, bands)
    ring = np.searchsorted(RINGS, away)
    rings = np.unique(ring)
    found = [metrics.coverage(true, made, std, ring == r, level=level) for r in rings]
    share = [100 * float((ring == r).mean()) for r in rings]
    from xinpaint.plot_figure import Picture

    figure = Picture(figsize=(5.2, 4.4), layout="constrained")
    over, under = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    over.axhline(100 * level, color="0.6", linestyle="--", label="wanted")
    over.plot(range(len(rings)), [100 * f for f in found], "o-", color="#0072b2", label="found")
    over.set(ylim=(0, 102), ylabel=f"truth inside the\n{level:.0%} interval, %")
    over.legend(frameon=False, loc="lower left")
    bars = under.bar(range(len(rings)), share, color="#999999")
    under.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
    under.set(ylabel="of the filled\npixels, %", xlabel="pixels to the nearest observed one")
    under.set_ylim(0, 1.3 * max(share))
    under.set_xticks(range(len(rings)), [_name(int(r)) for r in rings])
    for ax in (over, under):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _name(ring: int) -> str:
    low = 1 if ring == 0 else RINGS[ring - 1] + 1
    if ring == len(RINGS):
        return f"over {RINGS[-1]}"
    return str(low) if low == RINGS[ring] else f"{low}–{RINGS[ring]}"


def _pooled(
    filled: xr.Dataset, truth: xr.Dataset, bands: Sequence[str]
) -> tuple[Plane, Plane, Plane, Plane]:
    """Truth, fill, std and distance to context of every filled pixel with a truth, ``[n]``."""
    filled, truth = bandwise(filled), bandwise(truth)
    for band in bands:
        check_grids(filled, {"truth": truth}, band)
    filled, truth = loaded(source(filled, bands, also=_spread(bands)), source(truth, bands))
    dates = {band: len(filled[band]) if filled[band].ndim == 3 else 1 for band in bands}
    parts = []
    for time in range(max(dates.values())):
        some = [band for band in bands if time < dates[band]]
        view = at(filled, some, time, also=_spread(some))
        parts.append(_judged(view, at(truth, some, time), some))
    true, made, std, away = np.concatenate(parts, axis=1)
    if not true.size:
        raise SchemaError(
            f"no filled pixel of {list(bands)} has a truth and a std above 0: nothing to judge"
        )
    return true, made, std, away


def _judged(view: xr.Dataset, real: xr.Dataset, bands: Sequence[str]) -> Plane:
    """Truth, fill, std and distance to context of a date's filled pixels, ``[4 n]``."""
    parts = []
    for band in bands:
        true, made, std = real[band].values, view[band].values, view[f"{band}_std"].values
        code = view[f"{band}_provenance"].values
        away = ndimage.distance_transform_edt(code != OBSERVED)
        ok = (code == FILLED) & np.isfinite(true) & np.isfinite(made) & (std > 0)
        parts.append(np.stack([true[ok], made[ok], std[ok], np.floor(away[ok])]))
    return np.concatenate(parts, axis=1)


def _map(
    figure: Picture,
    ax: Axes,
    title: str,
    plane: Plane,
    array: xr.DataArray,
    *,
    rest: float | None = None,
    **options: Any,
) -> None:
    """One map with its colour bar; NaN in `rest` (a grey), or in the colour of missing pixels."""
    from matplotlib import colormaps

    colours = colormaps[options.pop("cmap")].with_extremes(
        bad=MISSING if rest is None else (rest, rest, rest)
    )
    image = _show(ax, plane, array, cmap=colours, **options)
    extend = "max" if options["vmin"] == 0 else "both"
    _bar(figure, ax, image, extend).ax.tick_params(labelsize=8)
    _title(ax, title)
