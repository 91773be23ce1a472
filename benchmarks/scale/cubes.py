"""A striped cube on disk, and the same tiles in memory for the bare net."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.speed import scene
from xinpaint.core.task import Task

#: How far the net looks, in pixels.
HALO = 64


def write(path: Path, side: int, block: int, *, dates: int = 1, bands: int = 6) -> None:
    """Bands of uint16 under 24 % stripes, in chunks of a block."""
    hole = scene.gap(side)
    values = np.where(hole, 0, scene.image(side, "uint16"))
    days = np.datetime64("2003-07-01", "ns") + 16 * np.arange(dates) * np.timedelta64(1, "D")
    ds = xr.Dataset(
        coords={"time": days, "y": -30.0 * np.arange(side), "x": 30.0 * np.arange(side)}
    )
    for name, band in list(zip(scene.BANDS, values, strict=True))[:bands]:
        data = np.broadcast_to(band, (dates, side, side))
        ds[name] = (("time", "y", "x"), data, {"nodata": 0})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        ds.chunk(time=1, y=block, x=block).to_zarr(path, zarr_format=3, consolidated=True)


def tile(side: int, block: int, row: int, column: int) -> Task:
    """What the net is asked for one block: the block and what lies around it."""
    rows, columns = (
        slice(max(0, k * block - HALO), min(side, (k + 1) * block + HALO)) for k in (row, column)
    )
    values = scene.image(side, "uint16")[None, :, rows, columns].astype(np.float32)
    hole = np.broadcast_to(scene.gap(side)[rows, columns], values.shape).copy()
    origin = (rows.start, columns.start)
    return Task(np.where(hole, 0, values).astype(np.float32), ~hole, hole, np.zeros(1), origin)
