"""Reading with odc-stac's reader (odc-loader)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.io.grid import Grid


def read(name: str, band: int, grid: Grid, dtype: np.dtype[Any], nodata: float) -> NDArray[Any]:
    """Read one band of a file onto a grid, nearest neighbour.

    Parameters
    ----------
    name : str
        What rasterio opens.
    band : int
        From 1.
    grid : Grid
    dtype : numpy dtype
    nodata : float
        Written where the file has nothing.

    Returns
    -------
    array ``[y x]``
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from odc.loader import RasterLoadParams, RasterSource, RioDriver

    box = GeoBox(grid.shape, Affine(*grid.transform), grid.crs)
    config = RasterLoadParams(
        dtype=dtype.str, fill_value=nodata, src_nodata_fallback=nodata, fail_on_error=True
    )
    driver = RioDriver()
    state: Any = driver.new_load(box)
    where, pixels = driver.open(RasterSource(name, band=band), state).read(config, box)
    if pixels.shape == grid.shape:
        return np.asarray(pixels)
    out = np.full(grid.shape, nodata, dtype)
    out[where] = pixels
    return out
