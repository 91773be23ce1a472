"""Pictures: gaps, before and after, uncertainty, calibration. Matplotlib is imported on use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import metrics
from xinpaint.core.task import OBSERVED
from xinpaint.cube.bandwise import bandwise, check_count
from xinpaint.cube.drawing import (
    aspect_of,
    at,
    check_grids,
    date_labels,
    date_of,
    extent_of,
    loaded,
)
from xinpaint.cube.schema import find_axes
from xinpaint.errors import SchemaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xinpaint.cube.schema import Mask
    from xinpaint.plot_figure import Picture

#: Reddish purple of Okabe and Ito: no land, water or cloud has it, and it reads for all eyes.
MISSING = (0.80, 0.475, 0.655)
RGB = ("red", "green", "blue")
Limits = Sequence[tuple[float, float]]


def rgb(
    ds: xr.Dataset, *, bands: Sequence[str] = RGB, time: int = 0, limits: Limits | None = None
) -> NDArray[np.float64]:
    """Three bands of one date as a picture; missing pixels in :data:`MISSING`.

    Parameters
    ----------
    ds : Dataset
        Bands over ((time,) y, x).
    bands : three names, or one
        For red, green and blue; one gives a grey picture.
    time : int
        Index of the date.
    limits : sequence of (lo, hi), optional
        What becomes 0 and 1, a pair a band; from the picture's own percentiles where not given.

    Returns
    -------
    float64 ``[y x 3]``
        0 to 1.

    Raises
    ------
    SchemaError
        If a band is not there or has other dims, or there are neither three nor one.
    """
    check_count(bands)
    (view,) = loaded(at(bandwise(ds), bands, time))
    return _picture(view, bands, _limits([view], bands) if limits is None else limits)[0]


def before_after(
    gappy: xr.Dataset,
    filled: xr.Dataset | Mapping[str, xr.Dataset],
    truth: xr.Dataset | None = None,
    *,
    bands: Sequence[str] = RGB,
    time: int = 0,
    observed: Mask = None,
) -> Picture:
    """Draw a cube before and after filling, its truth, and the uncertainty, in one stretch.

    Parameters
    ----------
    gappy, filled, truth : Dataset
        Same grid. `filled` may be several, by title; the first with a standard deviation gives
        the uncertainty panel.
    bands : names
        See `rgb`.
    time : int
        Index of the date.
    observed : bool DataArray or Dataset, optional
        What was observed of `gappy`, as it was said to the method.

    Raises
    ------
    SchemaError
        If a band or date is not there, or the grids or dates differ.
    """
    check_count(bands)
    gappy = bandwise(gappy)
    several = {"filled": filled} if isinstance(filled, xr.Dataset | xr.DataArray) else filled
    results = {title: bandwise(ds) for title, ds in several.items()}
    known = {} if truth is None else {"truth": bandwise(truth)}
    check_grids(gappy, results, bands[0])
    check_grids(gappy, known, bands[0], near=True)
    sure = next((title for title, ds in results.items() if f"{bands[0]}_std" in ds), None)
    lazy = {"before": at(gappy, bands, time, observed=observed)}
    for title, ds in results.items():
        also = _spread(bands) if title == sure else []
        lazy[title] = at(ds, bands, time, also=also, filled=True)
    lazy |= {title: at(ds, bands, time) for title, ds in known.items()}
    views = dict(zip(lazy, loaded(*lazy.values()), strict=True))
    count = len(views) + (sure is not None)
    columns = count if count <= 4 else -(-count // 2)
    limits, like = _limits([*views.values()], bands), views["before"][bands[0]]
    figure, axes = _panels(count, columns, like)
    for ax, (title, view) in zip(axes, views.items(), strict=False):
        picture, missing = _picture(view, bands, limits)
        _show(ax, picture, like)
        _title(ax, f"{title}, {missing:.1%} missing" if missing > 0.0005 else title)
    if sure is not None:
        _uncertainty(figure, axes[len(views)], views[sure], bands)
    figure.suptitle(f"{', '.join(bands)}{date_of(gappy[bands[0]], time)}; missing pixels in pink")
    return figure


def uncertainty(filled: xr.Dataset, *, bands: Sequence[str] = RGB, time: int = 0) -> Picture:
    """Map the standard deviation of the filled pixels, mean over `bands`, in the bands' unit."""
    filled = bandwise(filled)
    (view,) = loaded(at(filled, bands, time, also=_spread(bands), filled=True))
    figure, axes = _panels(1, 1, view[bands[0]])
    _uncertainty(figure, axes[0], view, bands)
    _ticks(axes, view[bands[0]])
    figure.set_figwidth(1.35 * figure.get_figwidth())  # room for the colour bar and coordinates
    figure.suptitle(f"{', '.join(bands)}{date_of(filled[bands[0]], time)}")
    return figure


def gaps(ds: xr.Dataset, *, observed: Mask = None) -> Picture:
    """Draw the missing share of each date, mean over bands."""
    from xinpaint.cube.inpaint import gaps as find
    from xinpaint.plot_figure import Picture

    ds = bandwise(ds)
    missing, time = find(ds, observed=observed).to_dataarray("band"), find_axes(ds).get("time")
    share = 100 * missing.mean([d for d in missing.dims if d != time]).compute()
    labels = date_labels(share[time]) if time in share.dims else ["all"]
    figure = Picture(figsize=(max(4.0, 0.5 * len(labels) + 2), 3.2), layout="constrained")
    ax = figure.subplots()
    bars = ax.bar(range(len(labels)), np.atleast_1d(share.values), color=MISSING)
    if len(labels) <= 24:
        ax.bar_label(bars, fmt="%.0f", padding=2)
    _name_ticks(ax, labels)
    ax.set_ylabel("missing pixels, %")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def calibration(truth: Any, mean: Any, std: Any) -> Picture:
    """Draw how often the truth falls inside intervals of each nominal size.

    Parameters
    ----------
    truth, mean, std : array_like, same shape
        Any unit. Pixels where one is NaN or std is 0 are left out.

    Raises
    ------
    SchemaError
        If no pixel is left.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> figure = calibration(rng.normal(size=999), np.zeros(999), np.ones(999))
    >>> figure.axes[0].get_xlabel()
    'central interval'
    """
    from xinpaint.plot_figure import Picture

    t, m, s = (np.asarray(a, dtype=np.float64) for a in (truth, mean, std))
    where = np.isfinite(t) & np.isfinite(m) & (s > 0)
    if not where.any():
        raise SchemaError("no pixel has a finite truth and mean and a std above 0: nothing to draw")
    levels = np.linspace(0.05, 0.95, 19)
    found = [metrics.coverage(t, m, s, where, level=float(level)) for level in levels]
    figure = Picture(figsize=(4.2, 4.2), layout="constrained")
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    ax.plot(levels, found, color="#0072b2", marker="o", markersize=4, label="found")
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="central interval", ylabel="truth inside it")
    ax.set_title(f"90 % interval holds {found[-2]:.1%} of {int(where.sum()):,} pixels", fontsize=10)
    ax.set_aspect("equal")
    ax.legend(frameon=False, loc="upper left")
    return figure


def _limits(views: Sequence[xr.Dataset], bands: Sequence[str]) -> Limits:
    """What becomes 0 and 1 of each band: the stretch of the first view that knows enough of it."""
    found = []
    for band in bands:
        planes = [view[band].values for view in views]
        first = next((p for p in planes if np.isfinite(p).mean() > 0.05), planes[0])
        known = np.isfinite(first)
        found.append(metrics.stretch(first, known) if known.any() else (0.0, 1.0))
    return found


def _picture(
    view: xr.Dataset, bands: Sequence[str], limits: Limits
) -> tuple[NDArray[np.float64], float]:
    """Bands of a date from `at` as a picture ``[y x 3]``, and the share that any band lacks."""
    layers = [
        (view[band].values - lo) / (hi - lo) for band, (lo, hi) in zip(bands, limits, strict=True)
    ]
    picture = np.clip(np.stack(layers if len(layers) == 3 else layers * 3, axis=-1), 0, 1)
    missing = np.isnan(picture).any(axis=-1)
    picture[missing] = MISSING
    return picture, float(missing.mean())


def _spread(bands: Sequence[str]) -> list[str]:
    """Names of what says how sure each band is."""
    return [f"{band}_{end}" for band in bands for end in ("std", "provenance")]


def _title(ax: Axes, text: str) -> None:
    ax.set_title(text, fontsize=10, y=1.0)  # all at one height, whatever is beside them


def _name_ticks(ax: Axes, labels: Sequence[str]) -> None:
    """Name the places 0, 1, 2, ... along x; a few of them where there are many."""
    step = max(1, len(labels) // 24)
    slant: dict[str, Any] = {"rotation": 45, "ha": "right"} if len(labels) > 1 else {}
    ax.set_xticks(range(0, len(labels), step), labels[::step], **slant)


def _panels(count: int, columns: int, array: xr.DataArray) -> tuple[Picture, list[Axes]]:
    from xinpaint.plot_figure import Picture

    height, width = array.shape[-2:]
    rows, side = -(-count // columns), 3.0
    tall = float(np.clip(side * aspect_of(array) * height / width, 1.2, 12))
    size = (columns * side + 0.6, rows * (tall + 0.45) + 0.4)
    figure = Picture(figsize=size, dpi=200, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    return figure, axes


def _show(ax: Axes, picture: NDArray[Any], array: xr.DataArray, **options: Any) -> Any:
    """Draw a picture, north up, in the coordinates of its cube."""
    extent = extent_of(array)
    aspect = aspect_of(array) if extent is None else aspect_of(array, ground=False)
    return ax.imshow(picture, aspect=aspect, extent=extent, interpolation="nearest", **options)


def _ticks(axes: Sequence[Axes], array: xr.DataArray) -> None:
    """Show coordinates along maps: their names and units on the outer ones."""
    from matplotlib.ticker import MaxNLocator

    for ax in axes:
        ax.set_axis_on()
        for axis, dim in ((ax.xaxis, array.dims[-1]), (ax.yaxis, array.dims[-2])):
            axis.set_major_locator(MaxNLocator(3))
            unit = array[dim].attrs.get("units") if dim in array.coords else None
            axis.set_label_text(f"{dim}, {unit}" if unit else str(dim))
        ax.ticklabel_format(style="plain", useOffset=False)
        ax.tick_params(labelsize=7)
        ax.label_outer()


def _uncertainty(figure: Picture, ax: Axes, view: xr.Dataset, bands: Sequence[str]) -> None:
    """Map the standard deviation where filled; observed pixels grey, unknown ones MISSING."""
    from matplotlib import cm, colormaps, colors

    std = np.mean([view[f"{band}_std"].values for band in bands], axis=0)
    observed = np.all([view[f"{band}_provenance"].values == OBSERVED for band in bands], axis=0)
    known = np.isfinite(std) & ~observed
    top = float(np.percentile(std[known], 99)) if known.any() else 1.0
    picture = colormaps["viridis"](np.clip(np.nan_to_num(std) / max(top, 1e-12), 0, 1))[..., :3]
    picture[observed] = 0.93
    picture[~known & ~observed] = MISSING
    _show(ax, picture, view[bands[0]])
    _title(ax, "uncertainty (1 std)")
    scale = cm.ScalarMappable(colors.Normalize(0, top), colormaps["viridis"])
    bar = _bar(figure, ax, scale, "max")
    unit = view[bands[0]].attrs.get("units", "their unit" if len(bands) > 1 else "its unit")
    of = f"mean of {len(bands)} bands" if len(bands) > 1 else bands[0]
    bar.set_label(
        fill(f"{of}, in {unit}", width=30), fontsize=8
    )  # as long as a flat picture is high


def _bar(figure: Picture, ax: Axes, mapped: Any, extend: str) -> Any:
    """A colour bar of one width, however tall the map beside it is."""
    aspect = max(20, 7 * ax.get_position().height * figure.get_figheight())
    return figure.colorbar(mapped, ax=ax, shrink=0.8, pad=0.02, extend=extend, aspect=aspect)
