"""Water on real scenes: one date against a mask made by others, three dates against sense."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xinpaint  # noqa: F401

pytestmark = [
    pytest.mark.skipif("XINPAINT_DATA" not in os.environ, reason="needs XINPAINT_DATA"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # in rioxarray
]


def scene(path: str, **options: object) -> xr.DataArray:
    import rioxarray

    return rioxarray.open_rasterio(Path(os.environ["XINPAINT_DATA"]) / path, **options)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"scale": 1e-4}, 0.98),  # auto: awei_sh
        ({"index": "awei_nsh", "scale": 1e-4}, 0.96),
        ({"index": "mndwi"}, 0.94),
        ({"index": "mndwi", "threshold": "otsu"}, 0.95),
        ({"index": "ndwi", "threshold": "otsu"}, 0.95),
        ({"index": "red_swir"}, 0.90),
    ],
)
def test_michigan_against_fmask(options, least):
    fmask = scene("water/etm_michigan_usa_20110907_fmask.tif").values[0] == 1
    made = scene("ood/etm_michigan_usa_20110907.tif").water.extent(**options)
    wet = made.extent.values == 1
    assert (wet & fmask).sum() / (wet | fmask).sum() >= least
    assert made.rio.crs.to_epsg() == 32616


def menindee() -> xr.Dataset:
    """Bands along a dim, with the names that the files give them."""
    dates = ("2010-01-16", "2010-02-01", "2010-05-08")
    scenes = [
        scene(f"slc_off/etm_menindee_australia_{d.replace('-', '')}.tif", chunks={"x": 900})
        for d in dates
    ]
    time = xr.Variable("time", np.array(dates, "datetime64[ns]"))
    return xr.concat(scenes, time, combine_attrs="override").to_dataset(name="nbar")


def test_menindee_fills():
    ds = menindee()
    made = ds.water.seasonality(window=5, method="count").compute()
    assert made.seasonality.shape == (1, 1000, 2700)
    assert str(made.time.values[0])[:10] == "2010-01-01"
    area = made.water.area().area.isel(time=0).to_series()
    extent = ds.water.extent().extent.isel(time=[0, 2]).compute()
    january, may = (extent.isel(time=t).values for t in (0, 1))
    classes, seen = made.seasonality.values[0], made.months_seen.values[0]
    both = (january != 255) & (may != 255)
    newly = both & (january == 0) & (may == 1)
    core = both & (january == 1) & (may == 1)
    land = both & (january == 0) & (may == 0)
    assert (newly * 625 / 1e6).sum() > 60  # km2: the lakes did fill
    assert (classes[newly] == 1).all()
    assert (classes[core & (seen == 2)] == 2).all()
    assert (classes[land] == 0).mean() > 0.99
    assert area.sum() == pytest.approx(1000 * 2700 * 625 / 1e6)
    assert area["permanent"] > 100
    assert area["seasonal"] > 100
