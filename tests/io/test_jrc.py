"""Tiles of Global Surface Water onto a cube's grid."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401
import xarray as xr

from xinpaint.errors import DataError, SchemaError
from xinpaint.io.jrc import jrc_labels

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
STEP = 0.00025  # degrees, as in the product


def tile(path, codes, west, north, crs="EPSG:4326"):
    transform = rasterio.Affine(STEP, 0, west, 0, -STEP, north)
    options = {"driver": "GTiff", "height": codes.shape[0], "width": codes.shape[1], "count": 1}
    options |= {"dtype": "uint8", "crs": crs, "transform": transform}
    with rasterio.open(path, "w", **options) as out:
        out.write(codes.astype(np.uint8), 1)
    return path


def degrees(y=6, x=8, west=142.0, north=-32.0):
    """A cube on the product's own grid."""
    ds = xr.Dataset(
        {"red": (("time", "y", "x"), np.zeros((2, y, x), np.float32))},
        {"y": north - STEP * (np.arange(y) + 0.5), "x": west + STEP * (np.arange(x) + 0.5)},
    )
    return ds.rio.write_crs("EPSG:4326")


def test_codes_of_the_yearly_history(tmp_path):
    codes = np.random.default_rng(0).integers(0, 4, (6, 8))
    made = jrc_labels(tile(tmp_path / "a.tif", codes, 142.0, -32.0), degrees())
    assert made.dtype == np.uint8 and made.dims == ("y", "x")
    np.testing.assert_array_equal(made, np.array([255, 0, 1, 2])[codes])
    assert made.attrs["flag_meanings"] == "not_water seasonal permanent no_data"
    assert made.rio.crs.to_epsg() == 4326


def test_months_of_water(tmp_path):
    codes = np.tile([0, 1, 6, 11, 12, 255, 0, 12], (6, 1))
    path = tile(tmp_path / "a.tif", codes, 142.0, -32.0)
    made = jrc_labels(path, degrees(), kind="seasonality")
    assert made[0].values.tolist() == [0, 1, 1, 1, 2, 255, 0, 2]


def test_tiles_side_by_side_and_what_none_covers(tmp_path):
    left = tile(tmp_path / "l.tif", np.full((6, 4), 2), 142.0, -32.0)
    right = tile(tmp_path / "r.tif", np.full((3, 4), 3), 142.0 + 4 * STEP, -32.0)
    made = jrc_labels([left, right], degrees()).values
    assert (made[:, :4] == 1).all() and (made[:3, 4:] == 2).all() and (made[3:, 4:] == 255).all()


def test_onto_a_projected_grid_classes_do_not_mix(tmp_path):
    codes = np.ones((400, 400))
    codes[:, 200:] = 3
    path = tile(tmp_path / "a.tif", codes, 142.0, -32.0)
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:32754", [142.05], [-32.05])
    grid = np.arange(-60, 60) * 30.0
    ds = xr.Dataset(
        {"red": (("y", "x"), np.zeros((120, 120)))}, {"y": y[0] - grid, "x": x[0] + grid}
    )
    made = jrc_labels(path, ds.rio.write_crs("EPSG:32754"))
    assert set(np.unique(made)) == {0, 2}
    assert (made[:, :50] == 0).all() and (made[:, 70:] == 2).all()


def test_stac_items(tmp_path):
    href = str(tile(tmp_path / "a.tif", np.full((6, 8), 12), 142.0, -32.0))
    plain = {"assets": {"seasonality": {"href": href}}}
    other = SimpleNamespace(assets={"seasonality": SimpleNamespace(href=href)})
    for item in (plain, other):
        assert (jrc_labels([item], degrees(), kind="seasonality") == 2).all()
    with pytest.raises(SchemaError, match=r"assets \['seasonality'\], no 'extent'"):
        jrc_labels(plain, degrees(), asset="extent")


def test_bad_tiles(tmp_path):
    path = tile(tmp_path / "a.tif", np.full((6, 8), 9), 142.0, -32.0)
    with pytest.raises(DataError, match=r"holds \[9\]; yearly_history has 0 to 3"):
        jrc_labels(path, degrees())
    (tmp_path / "b.tif").write_text("no tile")
    with pytest.raises(DataError, match=r"cannot read .*b\.tif"):
        jrc_labels(tmp_path / "b.tif", degrees())
    with pytest.raises(SchemaError, match="found no tile"):
        jrc_labels([], degrees())
    with pytest.raises(SchemaError, match="no coordinate system"):
        jrc_labels(path, degrees().drop_vars("spatial_ref"))
