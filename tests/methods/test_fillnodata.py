"""GDAL's fillnodata: bit for bit the same whatever the chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from xinpaint.cube.inpaint import inpaint
from xinpaint.methods.fillnodata import FillNodata

RAGGED = ((37, 74, 62, 77, 83, 67), (150, 31, 79))


def scene(dtype: str) -> xr.Dataset:
    """Gaps larger and smaller than the reach, and a range that no two chunks share."""
    rng = np.random.default_rng(1)
    shape = (400, 260)
    values = rng.uniform(0.02, 0.4, shape) * (1 + np.arange(400)[:, None] / 100)
    gap = rng.random(shape) < 0.05
    gap[40:44] = gap[200:208] = gap[:, 150:154] = True
    gap[100:190, 10:120] = gap[260:300] = gap[330:380, 200:] = True
    if dtype == "uint16":
        return xr.Dataset(
            {"red": (("y", "x"), np.where(gap, 0, 9000 * values).astype(dtype), {"nodata": 0})}
        )
    return xr.Dataset({"red": (("y", "x"), np.where(gap, np.nan, values).astype(dtype))})


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("options", [{}, {"max_distance": 12.5, "smoothing": 3}])
@pytest.mark.filterwarnings("ignore:chunks of")
def test_the_same_whatever_the_chunks(dtype: str, options: dict[str, Any]) -> None:
    ds = scene(dtype)
    filler = FillNodata(**options)
    whole = inpaint(ds, filler, name="fillnodata")
    assert (whole.red_provenance == 2).mean() > 0.1
    for chunks in ({"y": RAGGED[0], "x": RAGGED[1]}, {"y": 131, "x": 97}):
        parts = inpaint(ds.chunk(chunks), filler, name="fillnodata").compute()
        xr.testing.assert_identical(parts, whole)
