"""Before and after under one handle to drag, in a notebook: needs the extra ``swipe``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from xinpaint.cube.bandwise import bandwise, upright
from xinpaint.cube.drawing import check_grids, plane_of
from xinpaint.errors import MethodError
from xinpaint.plot import RGB, _extent, _limits, rgb

#: Pixels on the screen of the picture's longer side.
SIDE = 600


def swipe(
    gappy: xr.Dataset, filled: xr.Dataset, *, bands: Sequence[str] = RGB, time: int = 0
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

    Returns
    -------
    panel.layout.Swipe
        A notebook shows it; ``.save("swipe.html")`` writes a page.

    Raises
    ------
    MethodError
        If hvplot is not installed.
    SchemaError
        If a band is not there or has other dims.
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
    gappy, filled = upright(gappy), bandwise(filled)
    check_grids(gappy, {"filled": filled}, bands[0])
    limits = _limits([plane_of(gappy, band, time) for band in bands])
    extent = _extent(gappy[bands[0]])
    bounds = None if extent is None else (extent[0], extent[2], extent[1], extent[3])
    height, width = gappy[bands[0]].shape[-2:]
    scale = SIDE / max(height, width)
    size = {"frame_width": round(width * scale), "frame_height": round(height * scale)}
    sides = []
    for title, ds in (("before", gappy), ("after", filled)):
        picture = rgb(ds, bands=bands, time=time, limits=limits)
        shown = hv.RGB(picture, **({} if bounds is None else {"bounds": bounds}))
        options = {"title": title, "xlabel": "x", "ylabel": "y", **size}
        sides.append(pn.pane.HoloViews(shown.opts(backend="bokeh", **options)))
    return pn.Swipe(*sides)
