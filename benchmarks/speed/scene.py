"""A cube to run against the clock: six bands, real-looking stripes over 24 % of it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.core.task import Task

BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")
#: Across the half swath, where stripes cover 24 %.
POSITION = 0.62
_PATCH = 512


def image(side: int, dtype: str = "uint8", *, seed: int = 0) -> NDArray[np.generic]:
    """Textured values 1 to 255 ``[b y x]``; a patch of 512 pixels is repeated."""
    rng = np.random.default_rng(seed)
    patch = rng.normal(size=(len(BANDS), _PATCH, _PATCH))
    soft = ndimage.gaussian_filter(patch, (0, 9, 9), mode="wrap")
    grain = ndimage.gaussian_filter(patch, (0, 1, 1), mode="wrap")
    mixed = soft / soft.std() + 0.3 * grain / grain.std()
    values = np.clip(128 + 35 * mixed, 1, 255).astype(dtype)
    repeat = -(-side // _PATCH)
    return np.tile(values, (1, repeat, repeat))[:, :side, :side]


def gap(side: int, *, seed: int = 0) -> NDArray[np.bool_]:
    """SLC-off stripes bool ``[y x]``, true = missing."""
    return masks.scan_lines((side, side), seed=seed, position=POSITION)


def task(side: int) -> Task:
    """All six bands, missing under the stripes."""
    values = image(side)[None].astype(np.float32)
    hole = np.broadcast_to(gap(side), values.shape).copy()
    return Task(np.where(hole, 0, values).astype(np.float32), ~hole, hole)


def cube(side: int, *, chunk: int | None = None) -> xr.Dataset:
    """The same as a Dataset of uint16 with nodata 0; dask-backed where `chunk` is given."""
    values = np.where(gap(side), 0, image(side, "uint16"))
    made = {
        name: xr.DataArray(band, dims=("y", "x"), attrs={"_FillValue": np.uint16(0)})
        for name, band in zip(BANDS, values, strict=True)
    }
    ds = xr.Dataset(made, coords={"y": -30.0 * np.arange(side), "x": 30.0 * np.arange(side)})
    return ds if chunk is None else ds.chunk({"y": chunk, "x": chunk})
