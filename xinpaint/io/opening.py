"""A path that a command was given, as a lazy cube."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from xinpaint.errors import DataError
from xinpaint.io.source import open_source

#: Side of the blocks in which a GeoTIFF is read.
BLOCK = 1024


def open_path(path: Path) -> xr.Dataset:
    """Open a Zarr store or GeoTIFF lazily, one variable a band.

    Raises
    ------
    DataError
        Where it is not there or is neither.
    """
    if not path.exists():
        raise DataError(f"{path} is not there: give a Zarr store or a GeoTIFF")
    try:
        if path.is_dir():
            return open_source(str(path), chunks={})
        return _open_tiff(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} opens neither as Zarr nor as GeoTIFF: {error}") from error


def _open_tiff(path: Path) -> xr.Dataset:
    import rioxarray

    blocks = {"x": BLOCK, "y": BLOCK}
    opened: Any = rioxarray.open_rasterio(
        path, chunks=blocks, band_as_variable=True, driver="GTiff"
    )
    names = {v: str(opened[v].attrs.get("long_name", v)) for v in opened.data_vars}
    unique = len(set(names.values())) == len(names)
    result: xr.Dataset = opened.rename(names) if unique else opened
    return result
