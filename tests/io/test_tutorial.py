import dask.array
import numpy as np
import pytest
import rioxarray  # noqa: F401

from xinpaint.errors import SchemaError
from xinpaint.io.tutorial import open_cube

BANDS = ["blue", "green", "red", "nir", "swir1", "swir2"]


@pytest.fixture(scope="module")
def cube():
    return open_cube(dates=3, size=96)


@pytest.fixture(scope="module")
def truth():
    return open_cube(dates=3, size=96, truth=True)


def test_labels(cube):
    assert list(cube) == BANDS
    assert cube.red.dims == ("time", "y", "x")
    assert all(cube[b].dtype == np.uint16 and cube[b].attrs["nodata"] == 0 for b in BANDS)
    assert np.all(np.diff(cube.x) == 30)
    assert np.all(np.diff(cube.y) == -30)
    assert np.all(np.diff(cube.time) > np.timedelta64(0))
    assert cube.rio.crs.to_epsg() == 32636
    left, _, _, top = (float(v) for v in cube.spatial_ref.GeoTransform.split()[:4])
    assert (cube.x[0], cube.y[0]) == (left + 15, top - 15)


def test_truth_is_the_same_without_gaps(cube, truth):
    for band in BANDS:
        seen = cube[band].values != 0
        assert (truth[band].values != 0).all()
        np.testing.assert_array_equal(cube[band].values[seen], truth[band].values[seen])


def test_gaps_shift_from_date_to_date_and_hold_in_all_bands(cube):
    gap = np.stack([cube[b].values == 0 for b in BANDS])
    assert (gap == gap[0]).all()
    share = gap[0].mean(axis=(1, 2))
    assert ((share > 0.1) & (share < 0.6)).all()
    assert (gap[0, 0] != gap[0, 1]).mean() > 0.1


def test_seeds():
    first, again, other = (open_cube(dates=1, size=48, seed=s) for s in (3, 3, 4))
    assert first.identical(again)
    assert (first.red != other.red).mean() > 0.3


def test_spectra_look_like_land_and_water():
    truth = open_cube(dates=2, size=128, truth=True)
    water = (truth.green > truth.swir1).isel(time=0)
    assert 0.01 < float(water.mean()) < 0.4
    assert (
        truth.nir.isel(time=0).where(~water).mean() > 2 * truth.red.isel(time=0).where(water).mean()
    )


def test_water_shrinks_from_spring_to_autumn():
    truth = open_cube(dates=6, size=128, truth=True)
    wet = (truth.green > truth.swir1).mean(("y", "x"))
    assert wet[0] > 1.2 * wet[3]


def test_chunks():
    cube = open_cube(dates=2, size=64, chunks={"time": 1, "y": 32})
    assert isinstance(cube.red.data, dask.array.Array)
    assert cube.red.data.chunksize == (1, 32, 64)


@pytest.mark.parametrize("bad", [{"dates": 0}, {"size": 8}])
def test_bad_size(bad):
    with pytest.raises(SchemaError, match="found dates="):
        open_cube(**bad)
