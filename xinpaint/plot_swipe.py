"""Before and after under one handle to drag, in a notebook: needs the extra ``swipe``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from xinpaint.cube.bandwise import bandwise, check_count
from xinpaint.cube.drawing import at, check_grids, extent_of, loaded
from xinpaint.errors import MethodError
from xinpaint.plot import RGB, _limits, _picture

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask

#: Pixels on the screen of the picture's longer side.
SIDE = 600


def swipe(
    gappy: xr.Dataset,
    filled: xr.Dataset,
    *,
    bands: Sequence[str] = RGB,
    time: int = 0,
    observed: Mask = None,
) -> Any:
    """Show a cube before and after filling, one over the other, with a handle to drag.

    Parameters
    ----------
    gappy, filled : Dataset
        Same grid.
    bands : three names, or one
        See `xinpaint.plot.rgb`.
    time : int
        Index of the date.
    observed : bool DataArray or Dataset, optional
        What was observed of `gappy`, as it was said to the method.

    Returns
    -------
    panel.layout.Swipe
        A notebook shows it; ``.save("swipe.html")`` writes a page.

    Raises
    ------
    MethodError
        If hvplot is not installed.
    SchemaError
        If a band is not there or has other dims, or there are neither three nor one.
    """
    try:
        import holoviews as hv
        import hvplot.xarray  # noqa: F401  loads what a notebook needs to show it
        import panel as pn
    except ImportError as error:
        raise MethodError(
            f"swipe needs hvplot ({error}): install it with pip install 'xinpaint[swipe]', or use "
            "plot.before_after, which needs nothing more"
        ) from error
    check_count(bands)
    gappy, filled = bandwise(gappy), bandwise(filled)
    check_grids(gappy, {"filled": filled}, bands[0])
    views = loaded(at(gappy, bands, time, observed=observed), at(filled, bands, time, filled=True))
    limits = _limits(views, bands)
    extent = extent_of(gappy[bands[0]])
    bounds = None if extent is None else (extent[0], extent[2], extent[1], extent[3])
    height, width = gappy[bands[0]].shape[-2:]
    scale = SIDE / max(height, width)
    size = {"frame_width": round(width * scale), "frame_height": round(height * scale)}
    sides = []
    for title, view in zip(("before", "after"), views, strict=True):
        picture, _ = _picture(view, bands, limits)
        shown = hv.RGB(picture, **({} if bounds is None else {"bounds": bounds}))
        options = {"title": title, "xlabel": "x", "ylabel": "y", **size}
        sides.append(pn.pane.HoloViews(shown.opts(backend="bokeh", **options)))
    return pn.Swipe(*sides)
