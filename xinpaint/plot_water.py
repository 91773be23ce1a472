"""Pictures of water: its classes in the colours of the Global Surface Water maps, their areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.cube.bandwise import upright
from xinpaint.cube.drawing import date_labels, north_up
from xinpaint.errors import SchemaError
from xinpaint.plot import MISSING, _name_ticks, _panels, _show, _ticks, _title
from xinpaint.water.counts import PERMANENT, SEASONAL
from xinpaint.water.extent import NO_DATA, NOT_WATER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xinpaint.plot_figure import Picture

Colour = tuple[float, float, float]
#: Class -> its name and colour: white land, light blue seasonal and dark blue permanent water.
COLOURS: dict[int, tuple[str, Colour]] = {
    NOT_WATER: ("not water", (0.96, 0.96, 0.96)),
    SEASONAL: ("seasonal", (0.60, 0.77, 1.00)),
    PERMANENT: ("permanent", (0.00, 0.00, 0.67)),
    NO_DATA: ("no data", MISSING),
}
#: Lines of an area plot, by the class's name; told apart by mark and lightness as well.
LINES: dict[str, dict[str, Any]] = {
    "permanent": {"color": "#00007f", "marker": "s"},
    "water": {"color": "#00007f", "marker": "s"},
    "seasonal": {"color": "#56b4e9", "marker": "o"},
    "no_data": {"color": MISSING, "marker": "x", "linestyle": ":"},
}


def seasonality(water: xr.Dataset, *, most: int = 12) -> Picture:
    """Draw the seasonality of each window, with its legend.

    Classes, names and colours are those of the CF attributes ``flag_values``, ``flag_meanings``
    and ``flag_colors`` where the variable has all three, else :data:`COLOURS`.

    Parameters
    ----------
    water : Dataset
        With ``seasonality`` (time, y, x), as ``ds.water.seasonality()`` gives it.
    most : int
        Windows to draw, the first ones.

    Raises
    ------
    SchemaError
        If there is no seasonality, or it has other dims.

    Examples
    --------
    >>> ds = xinpaint.tutorial.open_cube(dates=6, size=48, truth=True)
    >>> figure = seasonality(ds.water.seasonality(method="count", window=6, step=6))
    >>> figure.axes[0].get_title()
    '2008-04 to 2008-09'
    """
    from matplotlib.patches import Patch

    if "seasonality" not in water:
        raise SchemaError(
            f"found {sorted(map(str, water.data_vars))}, no 'seasonality'; wanted what "
            "ds.water.seasonality() gives"
        )
    array = water["seasonality"]
    if array.ndim not in (2, 3):
        raise SchemaError(
            f"seasonality must have dims ((time,) y, x); found {array.dims}: select one entry of "
            "the others with .isel"
        )
    array = upright(array.to_dataset(name="seasonality"))["seasonality"]
    array = array if array.ndim == 3 else array.expand_dims("time")
    array = array[:most].fillna(NO_DATA).astype(np.uint8).compute()
    classes = _classes(array)
    table = np.zeros((256, 3))
    for code, (_, colour) in classes.items():
        table[code] = colour
    figure, axes = _panels(len(array), min(len(array), 4), array)
    length = int(array.attrs.get("window_months", 1))
    for ax, plane in zip(axes, array, strict=False):
        codes = plane.values if north_up(plane) else plane.values[::-1]
        _show(ax, table[codes], plane)
        _title(ax, _months(plane, length))
    _ticks(axes[: len(array)], array)
    handles = [Patch(facecolor=c, edgecolor="0.6", label=name) for name, c in classes.values()]
    columns = 4 if len(array) > 1 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def area(water: xr.Dataset, *, rest: bool = False) -> Picture:
    """Draw the area of each class over time, in km².

    Parameters
    ----------
    water : Dataset
        With ``area`` (class, time), as ``ds.water.seasonality().water.area()`` gives it, or with
        classes, as ``ds.water.seasonality()`` and ``ds.water.extent()`` give them.
    rest : bool
        Also what is not water.

    Raises
    ------
    SchemaError
        If there is neither an area nor classes to measure, or the size of a pixel is not known.

    Examples
    --------
    >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48, truth=True)
    >>> area(ds.water.extent()).axes[0].get_ylabel()
    'area, km²'
    """
    if "area" not in water:
        from xinpaint.cube.area import area as measure

        water = measure(water)
    table = water["area"].transpose("class", ...).compute()
    if table.ndim > 2:
        raise SchemaError(
            f"area must have dims (class, time); found {table.dims}: select one entry of the "
            "others with .isel"
        )
    from xinpaint.plot_figure import Picture

    figure = Picture(figsize=(7, 3.6), layout="constrained")
    ax = figure.subplots()
    when = _along(ax, table)
    for name in map(str, table["class"].values):
        values = np.atleast_1d(table.sel({"class": name}).values)
        if (name == "not_water" and not rest) or (name == "no_data" and not values.any()):
            continue
        style = LINES.get(name, {"color": "0.6", "marker": "."})
        ax.plot(when, values, label=name.replace("_", " "), clip_on=False, **style)
    ax.set_ylabel("area, km²")
    ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def _along(ax: Axes, table: xr.DataArray) -> NDArray[Any]:
    """Where along x each time of a table (class, time) is, its axis made ready: ``[t]``."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    times = table[table.dims[1]] if table.ndim == 2 else None
    if times is None or times.size == 1 or times.dtype.kind not in "Miuf":
        labels = ["all"] if times is None else date_labels(times)
        _name_ticks(ax, labels)
        ax.margins(x=0.05 if len(labels) > 1 else 1)
        return np.arange(len(labels))
    if times.dtype.kind == "M":
        locator = AutoDateLocator(maxticks=7)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.set_xlabel(str(times.name))
    return np.asarray(times.values)


def _classes(array: xr.DataArray) -> dict[int, tuple[str, Colour]]:
    """Code -> name and colour, by the variable's own CF attributes where it says all of it."""
    from matplotlib.colors import is_color_like, to_rgb

    codes = np.atleast_1d(array.attrs.get("flag_values", [])).tolist()
    names = str(array.attrs.get("flag_meanings", "")).split()
    colours = str(array.attrs.get("flag_colors", "")).split()
    if not len(codes) == len(names) == len(colours) or not all(map(is_color_like, colours)):
        return dict(COLOURS)
    made = zip(codes, names, colours, strict=True)
    return {int(code): (name.replace("_", " "), to_rgb(colour)) for code, name, colour in made}


def _months(plane: xr.DataArray, length: int) -> str:
    """First and last month of a window, such as "2010-01 to 2010-05"."""
    times = [c.values for c in plane.coords.values() if c.ndim == 0 and c.dtype.kind == "M"]
    if not times:
        return ""
    first = times[0].astype("datetime64[M]")
    return str(first) if length == 1 else f"{first} to {first + (length - 1)}"
