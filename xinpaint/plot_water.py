"""A picture of water through the year, in the colours of the Global Surface Water maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xinpaint.errors import SchemaError
from xinpaint.plot import MISSING, _north_up, _panels, _show
from xinpaint.water.counts import PERMANENT, SEASONAL
from xinpaint.water.extent import NO_DATA, NOT_WATER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Class -> its name and colour: white land, light blue seasonal and dark blue permanent water.
COLOURS = {
    NOT_WATER: ("not water", (0.96, 0.96, 0.96)),
    SEASONAL: ("seasonal", (0.60, 0.77, 1.00)),
    PERMANENT: ("permanent", (0.00, 0.00, 0.67)),
    NO_DATA: ("no data", MISSING),
}


def seasonality(water: xr.Dataset, *, most: int = 12) -> Figure:
    """Draw the seasonality of each window, with its legend.

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
    """
    from matplotlib.patches import Patch

    if "seasonality" not in water:
        raise SchemaError(
            f"found {sorted(map(str, water.data_vars))}, no 'seasonality'; wanted what "
            "ds.water.seasonality() gives"
        )
    array = water["seasonality"]
    if array.ndim not in (2, 3):
        raise SchemaError(f"seasonality must have dims ((time,) y, x); found {array.dims}")
    array = array if array.ndim == 3 else array.expand_dims("time")
    array = array[:most]
    table = np.zeros((256, 3))
    for code, (_, colour) in COLOURS.items():
        table[code] = colour
    figure, axes = _panels(len(array), min(len(array), 4), array)
    length = int(array.attrs.get("window_months", 1))
    for ax, plane in zip(axes, array, strict=False):
        codes = plane.values if _north_up(plane) else plane.values[::-1]
        _show(ax, table[codes], plane)
        ax.set_title(_months(plane, length))
    handles = [Patch(facecolor=c, edgecolor="0.6", label=name) for name, c in COLOURS.values()]
    columns = 4 if len(array) > 1 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _months(plane: xr.DataArray, length: int) -> str:
    """First and last month of a window, such as "2010-01 to 2010-05"."""
    times = [c.values for c in plane.coords.values() if c.ndim == 0 and c.dtype.kind == "M"]
    if not times:
        return ""
    first = times[0].astype("datetime64[M]")
    return str(first) if length == 1 else f"{first} to {first + (length - 1)}"
