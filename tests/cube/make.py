"""A small cube with gaps for the cube tests."""

from __future__ import annotations

import numpy as np
import xarray as xr

BANDS = ("red", "nir")


def make(
    t: int = 2, y: int = 40, x: int = 50, *, seed: int = 0, dtype: str = "uint16"
) -> xr.Dataset:
    """Landsat-like bands with nodata 0 (integers) or NaN (floats), stripes and an outside."""
    rng = np.random.default_rng(seed)
    time = np.datetime64("2003-07-01", "ns") + 16 * np.arange(t) * np.timedelta64(1, "D")
    ds = xr.Dataset(
        coords={
            "time": time,
            "y": ("y", 5e6 - 30.0 * np.arange(y), {"units": "m"}),
            "x": ("x", 4e5 + 30.0 * np.arange(x), {"units": "m"}),
            "spatial_ref": ((), 0, {"crs_wkt": 'LOCAL_CS["made up"]', "GeoTransform": "0 1 0"}),
        },
        attrs={"title": "made"},
    )
    gap = (
        np.arange(y)[:, None] + np.arange(x)[None] // 4 + 5 * np.arange(t)[:, None, None]
    ) % 12 < 4
    gap[:, :, :3] = True
    for band in BANDS:
        values = rng.uniform(100, 4000, (t, y, x))
        if dtype.startswith("float"):
            data = np.where(gap, np.nan, values).astype(dtype)
            attrs = {"units": "1"}
        else:
            data = np.where(gap, 0, values).astype(dtype)
            attrs = {"units": "1", "nodata": 0}
        ds[band] = (("time", "y", "x"), data, attrs)
        ds[band].encoding["grid_mapping"] = "spatial_ref"
    return ds
