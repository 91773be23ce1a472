"""Speed of ``ds.water.seasonality()``: ``python -m benchmarks.water.speed``.

A pixel-month is one pixel of one month shown to the net; a month that is in three windows is
shown three times.
"""

from __future__ import annotations

import os
import time

import numpy as np
import torch
import xarray as xr

import xinpaint  # noqa: F401  (registers .water)
from benchmarks.speed import scene

SIDE, MONTHS, REPEAT = 2048, 3, 3


def cube(side: tuple[int, int], months: int = MONTHS) -> xr.Dataset:
    """Gappy reflectance x 10,000, int16, one date a month."""
    image = scene.image(512)[[2, 3, 4]].astype(np.float32)
    image = 300 + 3000 * (image - image.min()) / np.ptp(image)
    tiles = (1, -(-side[0] // 512), -(-side[1] // 512))
    whole = np.tile(image, tiles)[:, : side[0], : side[1]].astype(np.int16)
    hole = np.tile(scene.gap(512), tiles[1:])[: side[0], : side[1]]
    dates = np.array([f"2003-{k + 1:02d}-10" for k in range(months)], "datetime64[ns]")
    made = xr.Dataset(coords={"time": dates})
    for name, band in zip(("red", "nir", "swir1"), whole, strict=True):
        dated = np.stack([np.where(np.roll(hole, 11 * k, 0), -9999, band) for k in range(months)])
        made[name] = (("time", "y", "x"), dated, {"nodata": -9999, "scale_factor": 1e-4})
    return made


def rate(ds: xr.Dataset) -> float:
    """Million pixel-months a second, the best of a few runs."""
    best = float("inf")
    for _ in range(REPEAT):
        start = time.perf_counter()
        made = ds.water.seasonality(device="cpu")
        made[["seasonality", "probability"]].compute()
        best = min(best, time.perf_counter() - start)
    return ds.sizes["y"] * ds.sizes["x"] * MONTHS * made.sizes["time"] / best / 1e6


def main() -> None:
    cube((64, 64)).water.seasonality(device="cpu")
    print(f"{os.cpu_count()} cores; torch {torch.get_num_threads()} threads", end="; ")
    print(f"load {os.getloadavg()[0]:.1f}; million pixel-months a second, best of {REPEAT}")
    print(f"NumPy, {SIDE}²: {rate(cube((SIDE, SIDE))):.2f}", flush=True)
    wide = cube((SIDE, 2 * SIDE))
    base = rate(wide)
    lazy = rate(wide.chunk({"time": 1, "y": SIDE, "x": SIDE}))
    print(f"NumPy, {SIDE} x {2 * SIDE}: {base:.2f}")
    print(f"dask, the same in chunks of {SIDE}²: {lazy:.2f} ({lazy / base:.0%} of NumPy)")


if __name__ == "__main__":
    main()
