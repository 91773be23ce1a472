"""Reading with stackstac's reader."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import DataError
from xinpaint.io.grid import Grid


def read(name: str, band: int, grid: Grid, dtype: np.dtype[Any], nodata: float) -> NDArray[Any]:
    """Read one band of a file onto a grid, nearest neighbour.

    stackstac's own table of items is passed by: with pystac 1.11 or newer it no longer finds the
    files' coordinate system and puts pixels beside their place.

    Parameters and return as of `xinpaint.io.read_odc.read`.

    Raises
    ------
    DataError
        A CRS without an EPSG number, or a file of several bands: stackstac reads neither.
    """
    from rasterio.enums import Resampling
    from rasterio.windows import Window
    from stackstac.raster_spec import RasterSpec
    from stackstac.rio_reader import AutoParallelRioReader

    authority, _, code = grid.crs.partition(":")
    if authority.upper() != "EPSG" or not code.isdigit():
        raise DataError(
            f"stackstac needs an EPSG number; found {grid.crs!r}: pass engine='odc-stac'"
        )
    if band != 1:
        raise DataError("stackstac reads files of one band only: pass engine='odc-stac'")
    reader = AutoParallelRioReader(
        url=name,
        spec=RasterSpec(int(code), grid.bounds, grid.step),
        resampling=Resampling.nearest,
        dtype=dtype,
        fill_value=dtype.type(nodata),
        scale_offset=(1, 0),
    )
    try:
        return np.asarray(reader.read(Window(0, 0, grid.shape[1], grid.shape[0])))
    finally:
        reader.close()
