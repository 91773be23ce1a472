"""A path that a command was given, as a lazy cube."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.errors import DataError
from xinpaint.io.geotiff import alpha_of, is_masked
from xinpaint.io.source import located, open_source

#: Side of the blocks in which a GeoTIFF is read.
BLOCK = 1024


def open_path(path: Path | str) -> xr.Dataset:
    """Open a Zarr store or GeoTIFF lazily, one variable a band.

    Of a GeoTIFF with a mask or an alpha band these become the bool variable ``observed``.

    Raises
    ------
    DataError
        Where it is not there or is neither.
    """
    if not isinstance(path, Path):
        return open_source(located(path), chunks={})
    if not os.path.exists(path):
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
    opened = opened.drop_vars([f"band_{number}" for number in alpha_of(path)])
    names = {v: str(opened[v].attrs.get("long_name", v)) for v in opened.data_vars}
    unique = len({*names.values(), "observed"}) == len(names) + 1
    result: xr.Dataset = opened.rename(names) if unique else opened
    if is_masked(path):
        result["observed"] = (("y", "x"), _mask(path, (opened.sizes["y"], opened.sizes["x"])))
    return result


def _mask(path: Path, shape: tuple[int, int]) -> Any:
    """A file's own mask, bool dask array ``[y x]``."""
    lazy: Any = dask.array  # its functions carry no types
    chunks = lazy.core.normalize_chunks(BLOCK, shape)
    meta = np.empty((0, 0), bool)
    return lazy.map_blocks(partial(_read_mask, str(path)), chunks=chunks, dtype=bool, meta=meta)


def _read_mask(path: str, *, block_info: Any) -> NDArray[np.bool_]:
    import rasterio
    from rasterio.windows import Window

    place = block_info[None]["array-location"]
    with rasterio.open(path, driver="GTiff") as file:
        seen = file.dataset_mask(window=Window.from_slices(*place))
    return np.asarray(seen != 0, np.bool_)
