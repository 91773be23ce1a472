"""Earth Engine against a stand-in server: grid, exact bits, small requests, tries, workers."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)

ee = pytest.importorskip("ee")
pytest.importorskip("xee")
from google.auth.credentials import AnonymousCredentials  # noqa: E402

import xinpaint  # noqa: E402
from tests.io import ee_stub  # noqa: E402
from xinpaint.core import qa  # noqa: E402
from xinpaint.errors import DataError, SchemaError  # noqa: E402
from xinpaint.io import earthengine  # noqa: E402
from xinpaint.io.ee_request import bounds, fit, interval  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul:PendingDeprecationWarning",  # in affine, through xee
    "ignore:Consolidated metadata",
)
LANDSAT = "LANDSAT/LE07/C02/T1_L2"
DAYS = ["2005-01-04", "2005-01-20", "2005-02-05"]
BOX = (-74.2, 1.5, -74.17, 1.53)


@pytest.fixture(scope="module")
def held():
    with ee_stub.serving(ee_stub.images(DAYS)) as server:
        ee.Initialize(AnonymousCredentials(), url=server.url, project="test")
        yield server
    ee.Reset()


@pytest.fixture
def server(held, monkeypatch):
    monkeypatch.setattr(held, "images", ee_stub.images(DAYS))
    monkeypatch.setattr(earthengine, "WAIT", 0.001)
    ee.data.setMaxRetries(0)  # the client's own tries hide ours
    held.sizes.clear()
    held.refuse, held.status = 0, 429
    return held


def place(ds):
    """Columns and rows of a cube's pixels, counted as the stand-in counts them."""
    return (
        np.rint((ds.x.values - 30) / 30).astype(int),
        np.rint((0 - ds.y.values) / 30).astype(int),
    )


def test_search_cube_fill(server):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005", bands=["red", "nir"])
    assert list(ds.data_vars) == ["red", "nir08", "observed", "qa"]
    assert not server.sizes  # nothing read yet
    assert ds.rio.crs.to_epsg() == 32618
    assert ds.sizes["time"] == 3
    assert ds.platform.values.tolist() == ["landsat-7"] * 3
    assert ds.sensor.values.tolist() == ["ETM+"] * 3
    assert ds.item.values[0] == "LE07_007059_20050104"
    column, row = place(ds)
    for number, day in enumerate(DAYS):
        red = ds.red.sel(time=day).values[0]
        numbers = ee_stub.truth(number, "SR_B3", column, row)
        expected = np.where(numbers == 0, np.nan, numbers * 2.75e-5 - 0.2).astype(np.float32)
        np.testing.assert_array_equal(red, expected)
    assert not {"scale_factor", "crs", "dtype"} & {*ds.red.attrs, *ds.red.encoding}
    filled = ds.inpaint.linear_time().compute()
    seen = ds.observed.values & np.isfinite(ds.red.values)
    np.testing.assert_array_equal(filled.red_provenance.values == 1, seen)
    np.testing.assert_array_equal(filled.red.values[seen], ds.red.values[seen])
    assert (filled.red_provenance == 2).mean() > 0.1


def test_quality_bits_are_exact_and_whole(server):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005", bands=["red", "QA_PIXEL"])
    column, row = place(ds)
    raw = np.stack([ee_stub.truth(k, "QA_PIXEL", column, row) for k in range(3)])
    assert ds.qa_pixel.dtype == np.uint16
    np.testing.assert_array_equal(ds.qa_pixel.values, np.where(raw == 0, 1, raw))
    clear = qa.clear(np.where(raw == 0, 1, raw).astype(np.uint16), "qa_pixel")
    np.testing.assert_array_equal(ds.observed.values, clear)
    assert 0.1 < clear.mean() < 0.95


def test_numbers_as_stored(server):
    ds = xinpaint.open_ee(
        LANDSAT, geometry=BOX, datetime="2005-01", bands=["red"], reflectance=False
    )
    column, row = place(ds)
    assert ds.red.dtype == np.uint16
    np.testing.assert_array_equal(ds.red.values[1], ee_stub.truth(1, "SR_B3", column, row))
    assert ds.red.attrs["_FillValue"] == 0
    assert (ds.red.attrs["scale_factor"], ds.red.attrs["add_offset"]) == (2.75e-5, -0.2)


def test_a_window_of_100_mb_is_split_below_the_limit(server):
    box = (-74.9, 0.6, -73.5, 2.0)
    ds = xinpaint.open_ee(LANDSAT, geometry=box, datetime="2005-01-04", bands=["red"])
    window = ds.red.isel(time=0)
    assert window.size * 4 > 100e6  # as the server sends it
    values = window.values
    assert len(server.sizes) > 20
    assert max(server.sizes) <= ee_stub.LIMIT
    column, row = place(ds)
    numbers = ee_stub.truth(0, "SR_B3", column, row)
    expected = np.where(numbers == 0, np.nan, numbers * 2.75e-5 - 0.2).astype(np.float32)
    np.testing.assert_array_equal(values, expected)


def test_busy_servers_are_asked_again(server):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005", bands=["red"])
    for status in (429, 503):
        server.refuse, server.status = 3, status
        assert np.isfinite(ds.red.values).any()
        assert server.refuse == 0
    server.refuse, server.status = 10**6, 429
    with pytest.raises(DataError, match="after 8 tries: Too many requests"):
        ds.red.compute()
    assert server.refuse == 10**6 - earthengine.TRIES


def test_what_waiting_does_not_cure_is_an_error_at_once(server):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005", bands=["red"])
    server.refuse, server.status = 10**6, 403
    with pytest.raises(DataError, match="after 1 tries"):
        ds.red.compute()


def test_scenes_of_one_pass_become_one_date(server, monkeypatch):
    times = ["2005-01-04T15:00:00", "2005-01-04T15:00:24", "2005-01-20T15:00:00"]
    monkeypatch.setattr(server, "images", ee_stub.images(times))
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005", bands=["red"], reflectance=False)
    assert ds.sizes["time"] == 2
    assert ds.item.values[0] == "LE07_007059_20050104 LE07_007060_20050104"
    column, row = place(ds)
    first, second = (ee_stub.truth(k, "SR_B3", column, row) for k in (0, 1))
    np.testing.assert_array_equal(ds.red.values[0], np.where(first == 0, second, first))
    np.testing.assert_array_equal(ds.red.values[1], ee_stub.truth(2, "SR_B3", column, row))


def test_a_worker_in_another_process_initialises_itself(server, tmp_path):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005-01-04", bands=["red"])
    path = tmp_path / "cube.pickle"
    path.write_bytes(pickle.dumps(ds.red))
    code = f"import pickle; print(repr(float(pickle.load(open({str(path)!r}, 'rb')).mean())))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert float(made.stdout) == pytest.approx(float(ds.red.mean()))


def test_to_zarr_and_back(server, tmp_path):
    ds = xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005-01-04", bands=["red"])
    ds.to_zarr(tmp_path / "cube.zarr")
    again = xinpaint.open_scenes(tmp_path / "cube.zarr")
    np.testing.assert_array_equal(again.red.values, ds.red.values)
    assert again.rio.crs == ds.rio.crs


def test_the_grid_is_landsats_own():
    grid = fit((36.7, -1.4, 36.9, -1.2), 30, None, 15)
    assert grid.crs == "EPSG:32637"  # north, south of the equator too
    assert (grid.left % 30, grid.top % 30, grid.step) == (15, 15, (30, 30))
    assert grid.top < 0
    import pyproj

    to = pyproj.Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    left, bottom, right, top = to.transform_bounds(36.7, -1.4, 36.9, -1.2)
    assert grid.left <= left < grid.left + 30 and grid.top - 30 < top <= grid.top
    assert right <= grid.bounds[2] and bottom >= grid.bounds[1]


def test_dates():
    assert interval("2004-02") == ("2004-02-01", "2004-03-01")
    assert interval("2003-05-31/2003-06") == ("2003-05-31", "2003-07-01")
    for bad in ("last year", "2006/2005", ""):
        with pytest.raises(SchemaError, match="datetime="):
            interval(bad)


def test_geometries(server):
    assert bounds({"type": "Polygon", "coordinates": [[[1, 2], [3, 2], [3, 4], [1, 2]]]}) == (
        1,
        2,
        3,
        4,
    )
    shape = ee.Geometry.Rectangle([*BOX], "EPSG:4326", False)
    ds = xinpaint.open_ee(LANDSAT, geometry=shape, datetime="2005", bands=["red"])
    assert ds.sizes["time"] == 3
    for bad in ((3, 2, 1, 4), "here", (1, 2, 3), {"type": "Polygon"}):
        with pytest.raises(SchemaError, match="geometry"):
            bounds(bad)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"datetime": "1999"}, DataError, "found no image"),
        ({"bands": ["pan"]}, SchemaError, r"no band 'pan'\..* It has"),
        ({"bands": "red"}, SchemaError, "wanted a sequence"),
        ({"scale": 0}, SchemaError, "scale=0"),
        ({"crs": "EPSG:1"}, SchemaError, "crs='EPSG:1'"),
        ({"mask": ("clouds",)}, SchemaError, "clouds"),
    ],
)
def test_bad_requests_speak_before_anything_is_read(server, change, error, said):
    request = {"geometry": BOX, "datetime": "2005", "bands": ["red"], **change}
    with pytest.raises(error, match=said):
        xinpaint.open_ee(LANDSAT, **request)
    assert not server.sizes


def test_not_initialised(monkeypatch):
    monkeypatch.setattr(ee.data, "is_initialized", lambda: False)
    with pytest.raises(DataError, match=r"ee\.Initialize"):
        xinpaint.open_ee(LANDSAT, geometry=BOX, datetime="2005")
