"""Pictures: gaps, before and after, uncertainty, calibration. Matplotlib is imported on use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import metrics
from xinpaint.core.task import OBSERVED
from xinpaint.cube.bandwise import bandwise, upright
from xinpaint.cube.drawing import check_grids, plane_of
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
    bands : three names
        For red, green and blue; one name gives a grey picture.
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
        If a band is not there or has other dims.
    """
    ds = upright(ds)
    planes = [plane_of(ds, band, time) for band in bands]
    limits = _limits(planes) if limits is None else limits
    layers = [(p - lo) / (hi - lo) for p, (lo, hi) in zip(planes, limits, strict=True)]
    picture = np.stack(layers if len(layers) == 3 else layers[:1] * 3, axis=-1)
    picture = np.clip(picture, 0, 1)
    picture[np.isnan(picture).any(axis=-1)] = MISSING
    return picture


def before_after(
    gappy: xr.Dataset,
    filled: xr.Dataset | Mapping[str, xr.Dataset],
    truth: xr.Dataset | None = None,
    *,
    bands: Sequence[str] = RGB,
    time: int = 0,
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

    Raises
    ------
    SchemaError
        If a band or date is not there, or the grids or dates differ.
    """
    gappy = upright(gappy)
    several = {"filled": filled} if isinstance(filled, xr.Dataset | xr.DataArray) else filled
    results = {title: bandwise(ds) for title, ds in several.items()}
    known = {} if truth is None else {"truth": bandwise(truth)}
    check_grids(gappy, results, bands[0])
    check_grids(gappy, known, bands[0], near=True)
    limits = _limits([plane_of(gappy, band, time) for band in bands])
    pictures = {"before": gappy} | results | known
    sure = next((ds for ds in results.values() if f"{bands[0]}_std" in ds), None)
    count = len(pictures) + (sure is not None)
    columns = count if count <= 4 else -(-count // 2)
    figure, axes = _panels(count, columns, gappy[bands[0]])
    for ax, (title, ds) in zip(axes, pictures.items(), strict=False):
        _show(ax, rgb(ds, bands=bands, time=time, limits=limits), gappy[bands[0]])
        missing = np.isnan(plane_of(ds, bands[0], time)).mean()
        ax.set_title(f"{title}, {missing:.1%} missing" if missing > 0.0005 else title, fontsize=10)
    if sure is not None:
        _uncertainty(figure, axes[len(pictures)], sure, bands, time)
    when = _date(gappy[bands[0]], time)
    figure.suptitle(f"{', '.join(bands)}{when}; missing pixels in pink")
    return figure


def uncertainty(filled: xr.Dataset, *, bands: Sequence[str] = RGB, time: int = 0) -> Picture:
    """Map the standard deviation of the filled pixels, mean over `bands`, in the bands' unit."""
    filled = upright(filled)
    plane_of(filled, f"{bands[0]}_std", time)  # says what is not there
    figure, axes = _panels(1, 1, filled[bands[0]])
    _uncertainty(figure, axes[0], filled, bands, time)
    _ticks(axes, filled[bands[0]])
    figure.set_figwidth(1.35 * figure.get_figwidth())  # room for the colour bar and coordinates
    return figure


def gaps(ds: xr.Dataset, *, observed: Mask = None) -> Picture:
    """Draw the missing share of each date, mean over bands."""
    from xinpaint.cube.inpaint import gaps as find
    from xinpaint.plot_figure import Picture

    missing = find(ds, observed=observed).to_dataarray("band")
    keep = [d for d in missing.dims if np.issubdtype(missing[d].dtype, np.datetime64)]
    share = 100 * missing.mean([d for d in missing.dims if d not in keep]).compute()
    labels = [str(t)[:10] for t in share[keep[0]].values] if keep else ["all"]
    figure = Picture(figsize=(max(4.0, 0.5 * len(labels) + 2), 3.2), layout="constrained")
    ax = figure.subplots()
    bars = ax.bar(range(len(labels)), np.atleast_1d(share.values), color=MISSING)
    if len(labels) <= 24:
        ax.bar_label(bars, fmt="%.0f", padding=2)
    step = max(1, len(labels) // 24)
    ax.set_xticks(range(0, len(labels), step), labels[::step], rotation=45, ha="right")
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


def _limits(planes: Sequence[NDArray[np.float64]]) -> Limits:
    finite = [np.isfinite(p) for p in planes]
    return [
        metrics.stretch(p, ok) if ok.any() else (0.0, 1.0)
        for p, ok in zip(planes, finite, strict=True)
    ]


def _aspect(array: xr.DataArray, *, ground: bool = True) -> float:
    """Height of a pixel over its width on the ground, or of a unit of y over one of x."""
    y, x = (array.coords.get(d) for d in array.dims[-2:])
    if y is None or x is None or min(y.size, x.size) < 2:
        return 1.0
    ratio = abs(float(y[1] - y[0]) / float(x[1] - x[0])) if ground else 1.0
    if str(array.dims[-2]) in ("lat", "latitude"):
        ratio /= max(0.05, float(np.cos(np.deg2rad(float(y.mean())))))
    return ratio


def _date(array: xr.DataArray, time: int) -> str:
    if array.ndim != 3 or not np.issubdtype(array[array.dims[0]].dtype, np.datetime64):
        return ""
    return f" on {str(array[array.dims[0]].values[time])[:10]}"


def _panels(count: int, columns: int, array: xr.DataArray) -> tuple[Picture, list[Axes]]:
    from xinpaint.plot_figure import Picture

    height, width = array.shape[-2:]
    rows = -(-count // columns)
    side = 3.0
    tall = float(np.clip(side * _aspect(array) * height / width, 1.2, 12))
    size = (columns * side + 0.6, rows * (tall + 0.45) + 0.4)
    figure = Picture(figsize=size, dpi=200, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    return figure, axes


def _show(ax: Axes, picture: NDArray[Any], array: xr.DataArray, **options: Any) -> Any:
    """Draw a picture, north up, in the coordinates of its cube."""
    extent = _extent(array)
    aspect = _aspect(array) if extent is None else _aspect(array, ground=False)
    return ax.imshow(picture, aspect=aspect, extent=extent, interpolation="nearest", **options)


def _extent(array: xr.DataArray) -> tuple[float, float, float, float] | None:
    """Outer edges left, right, bottom, top; None where the coordinates do not tell."""
    y, x = (array.coords.get(d) for d in array.dims[-2:])
    if y is None or x is None or min(y.size, x.size) < 2:
        return None
    if not all(np.issubdtype(c.dtype, np.number) for c in (y, x)):
        return None
    half_x, half_y = float(x[1] - x[0]) / 2, abs(float(y[1] - y[0])) / 2
    left, right = float(x[0]) - half_x, float(x[-1]) + half_x
    return left, right, float(y.min()) - half_y, float(y.max()) + half_y


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


def _uncertainty(
    figure: Picture, ax: Axes, filled: xr.Dataset, bands: Sequence[str], time: int
) -> None:
    """Map the standard deviation where filled; observed pixels grey, unknown ones MISSING."""
    from matplotlib import colormaps

    std = np.mean([plane_of(filled, f"{band}_std", time) for band in bands], axis=0)
    observed = plane_of(filled, f"{bands[0]}_provenance", time) == OBSERVED
    known = np.isfinite(std) & ~observed
    top = float(np.percentile(std[known], 99)) if known.any() else 1.0
    picture = colormaps["viridis"](np.clip(np.nan_to_num(std) / max(top, 1e-12), 0, 1))[..., :3]
    picture[observed] = 0.93
    picture[~known & ~observed] = MISSING
    _show(ax, picture, filled[bands[0]])
    ax.set_title("uncertainty (1 std)", fontsize=10, y=1.0)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(0, top), colormaps["viridis"])
    bar = figure.colorbar(scale, ax=ax, shrink=0.8, pad=0.02, extend="max")
    unit = filled[bands[0]].attrs.get("units", "their unit" if len(bands) > 1 else "its unit")
    of = f"mean of {len(bands)} bands" if len(bands) > 1 else bands[0]
    bar.set_label(f"{of}, in {unit}", fontsize=8)
