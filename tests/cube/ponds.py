"""A small cube whose water is known on every date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

WATER = {"blue": 600, "green": 500, "red": 400, "nir": 200, "swir1": 100, "swir2": 50}
LAND = {"blue": 500, "green": 800, "red": 900, "nir": 2800, "swir1": 2500, "swir2": 1500}
YEAR = tuple(f"2003-{month:02d}-10" for month in range(1, 13))
GONE = -9999


def states(t: int, y: int = 12, x: int = 15, *, seed: int = 0) -> np.ndarray:
    """Codes 0, 1 and 255 ``[t y x]``, a mixture of all."""
    rng = np.random.default_rng(seed)
    return rng.choice(np.uint8([0, 1, 255]), (t, y, x), p=[0.45, 0.35, 0.2])


def cube(extent: np.ndarray, dates: Sequence[str], bands: Sequence[str] = tuple(WATER)):
    """Reflectance x 10,000 in int16 with nodata, noise, a coordinate system and chunky extras."""
    rng = np.random.default_rng(1)
    t, y, x = extent.shape
    ds = xr.Dataset(
        coords={
            "time": np.array(dates, "datetime64[ns]"),
            "y": ("y", 5e6 - 30.0 * np.arange(y), {"units": "m"}),
            "x": ("x", 4e5 + 30.0 * np.arange(x), {"units": "m"}),
            "spatial_ref": ((), 0, {"crs_wkt": 'LOCAL_CS["made up"]'}),
            "sun": ("time", np.arange(t) + 30.0),
        },
        attrs={"title": "ponds"},
    )
    for band in bands:
        values = np.where(extent == 1, WATER[band], LAND[band]) + rng.integers(-20, 20, (t, y, x))
        values[extent == 255] = GONE
        ds[band] = (("time", "y", "x"), values.astype(np.int16), {"nodata": GONE})
        ds[band].encoding["grid_mapping"] = "spatial_ref"
    return ds
