"""`open_stac` on items over HTTP: engines, grid, quality, scale, and what cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.io import catalogue
from tests.io.catalogue import Server
from xinpaint.core import qa
from xinpaint.core.task import FILLED, OBSERVED, READ_FAILED
from xinpaint.errors import DataError, SchemaError

pytest.importorskip("odc.stac")
pytest.importorskip("stackstac")
pytest.importorskip("rioxarray")
rasterio = pytest.importorskip("rasterio")

#: What every call here needs: a chunk border inside the image, the loopback host, no waiting.
FAST = {"chunks": 100, "retries": 1, "wait": 0.0, "timeout": 5.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with catalogue.serving(tmp_path_factory.mktemp("scenes")) as made:
        yield made


def opened(server: Server, items: Any = None, **how: Any) -> xr.Dataset:
    how = {**FAST, "allow_hosts": [server.host], **how}
    items = catalogue.items(server) if items is None else items
    return xinpaint.open_stac(items, **{"bands": ["red", "nir08"], **how})


def stored(server: Server, band: str, date: int = 0) -> np.ndarray:
    with rasterio.open(server.folder / f"LE07_{catalogue.DAYS[date]}_{band}.tif") as image:
        return image.read(1)


def test_the_grid_is_the_files_own(server: Server) -> None:
    ds = opened(server, scale=False)
    with rasterio.open(server.folder / f"LE07_{catalogue.DAYS[0]}_red.tif") as image:
        left, top = image.transform.c, image.transform.f
        step = image.transform.a
        np.testing.assert_array_equal(ds.x, left + step * (np.arange(image.width) + 0.5))
        np.testing.assert_array_equal(ds.y, top - step * (np.arange(image.height) + 0.5))
    assert ds.rio.crs.to_epsg() == 32618
    np.testing.assert_allclose(ds.rio.transform(), image.transform)
    for date in range(3):
        np.testing.assert_array_equal(ds.red[date], stored(server, "red", date))
        np.testing.assert_array_equal(ds.nir08[date], stored(server, "nir08", date))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("where", ["all", "window", "coarser"])
def test_engines_agree_bit_for_bit(server: Server, scale: bool, where: str) -> None:
    west, south = catalogue.items(server)[0]["bbox"][:2]
    inner = (west + 0.01, south + 0.008, west + 0.03, south + 0.03)
    more: dict[str, Any] = {"window": {"bbox": inner}, "all": {}}.get(where, {"resolution": 60.0})
    ours, theirs = (
        opened(server, scale=scale, engine=engine, **more).compute()
        for engine in ("odc-stac", "stackstac")
    )
    xr.testing.assert_identical(ours, theirs)
    assert float((ours.red > 0).mean()) > 0.3
    if where == "window":
        assert (np.mod(ours.x, 30) == 0).all() and ours.sizes["x"] < catalogue.SIDE


OTHER_GRIDS: dict[str, dict[str, Any]] = {
    "zone": {"crs": "EPSG:32617"},
    "degrees": {"crs": "EPSG:4326", "resolution": 0.0004},
    "coarse": {"crs": "EPSG:32617", "resolution": 300.0},
    "between": {"resolution": 47.0},
}


@pytest.mark.parametrize("grid", OTHER_GRIDS)
def test_engines_and_chunks_agree_on_other_grids(
    server: Server, grid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"resolution": 30.0, "scale": False, **OTHER_GRIDS[grid]}
    ours, theirs = (
        opened(server, **how, engine=engine).compute() for engine in ("odc-stac", "stackstac")
    )
    xr.testing.assert_identical(ours, theirs)
    whole = opened(server, **how, quality=None, chunks=1000).compute()
    xr.testing.assert_identical(whole, ours.drop_vars(["observed", "qa"]))
    np.testing.assert_array_equal(whole.red[0], by_hand(whole, stored(server, "red")))
    assert float((whole.red > 0).mean()) > 0.3
    monkeypatch.setattr("xinpaint.io.warp.MOST", 500)
    xr.testing.assert_identical(whole, opened(server, **how, quality=None).compute())


def by_hand(ds: xr.Dataset, values: np.ndarray) -> np.ndarray:
    """The file's pixel under each pixel's middle."""
    from pyproj import Transformer

    into = Transformer.from_crs(ds.rio.crs.to_wkt(), catalogue.CRS, always_xy=True)
    x, y = into.transform(*np.meshgrid(ds.x, ds.y))
    col = np.floor((x - catalogue.LEFT) / catalogue.STEP).astype(int)
    row = np.floor((catalogue.TOP - y) / catalogue.STEP).astype(int)
    out = np.zeros(x.shape, values.dtype)
    inside = (np.minimum(row, col) >= 0) & (np.maximum(row, col) < catalogue.SIDE)
    out[inside] = values[row[inside], col[inside]]
    return out


def test_pixels_half_a_pixel_off_have_one_answer(server: Server) -> None:
    values = np.arange(1600, dtype=np.uint16).reshape(40, 40) + 1
    catalogue.write(server.folder / "half_red.tif", values, 0, left=catalogue.LEFT + 15)
    item = catalogue.item("half", "2005-03-01", f"{server.url}/ok")
    item["properties"]["proj:shape"] = [40, 40]
    item["properties"]["proj:transform"][2] += 15
    items = [*catalogue.items(server)[:1], item]
    how = {"bands": ["red"], "quality": None, "scale": False}
    ours, theirs = (
        opened(server, items, engine=engine, **how).compute()
        for engine in ("odc-stac", "stackstac")
    )
    xr.testing.assert_identical(ours, theirs)
    # a middle on the border of two pixels belongs to the right one and the lower one
    np.testing.assert_array_equal(ours.red[1, :40, :40], values)


@pytest.mark.filterwarnings("ignore:The 'shapely.ops:DeprecationWarning")
def test_the_engine_gives_what_its_library_gives(server: Server) -> None:
    import odc.stac
    import pystac

    parsed = [pystac.Item.from_dict(item) for item in catalogue.items(server)]
    bare = odc.stac.load(parsed, bands=["red", "nir08"], groupby="solar_day").compute()
    ours = opened(server, scale=False).compute()
    for band in ("red", "nir08"):
        np.testing.assert_array_equal(ours[band], bare[band])
        assert ours[band].dtype == bare[band].dtype == np.uint16
    np.testing.assert_array_equal(ours.x, bare.x)
    np.testing.assert_array_equal(ours.y, bare.y)
    np.testing.assert_array_equal(ours.time, bare.time)


def test_quality_becomes_observed_and_flags(server: Server) -> None:
    ds = opened(server).compute()
    raw = stored(server, "qa_pixel")
    assert ds.observed.dtype == bool
    np.testing.assert_array_equal(ds.observed[0], raw == 5440)
    assert ds.qa.attrs["flag_meanings"].split()[:3] == ["fill", "dropped", "cloud"]
    np.testing.assert_array_equal((ds.qa[0] & qa.FLAGS["cloud"]) != 0, raw == 5896)
    gap = (ds.qa[0] & qa.FLAGS["slc_gap"]).values != 0
    fill = raw == 1
    beside = np.arange(catalogue.SIDE) < 12
    assert not gap[:, beside].any() and not gap[~fill].any()
    assert gap[fill & (np.arange(catalogue.SIDE) > 40)].mean() > 0.95
    assert list(ds.platform.values) == ["landsat-7"] * 3 and list(ds.sensor.values) == ["ETM+"] * 3
    without = opened(server, quality=None)
    assert "observed" not in without and "qa" not in without


def test_what_counts_as_gap_is_chosen(server: Server) -> None:
    raw = stored(server, "qa_pixel")
    only = opened(server, mask=("fill",)).observed[0].compute()
    np.testing.assert_array_equal(only, raw != 1)
    grown = opened(server, mask=("cloud",), dilate=4).observed[0].compute()
    np.testing.assert_array_equal(grown, ~qa.widened(raw == 5896, 4))
    edge = opened(server, mask=("fill",), edge=2).observed.compute()
    whole = opened(server, mask=("fill",), edge=2, chunks=500).observed.compute()
    np.testing.assert_array_equal(edge, whole)
    lost = (only & ~edge[0]).values
    assert 0.02 < lost.mean() < 0.2 and not lost[:, :12].any()
    with pytest.raises(SchemaError, match="wanted a sequence of names out of fill"):
        opened(server, mask=("clouds",))


@pytest.mark.filterwarnings("ignore:chunks of")
@pytest.mark.parametrize("scale", [True, False])
def test_scale_is_applied_once_over_any_chain(server: Server, tmp_path: Path, scale: bool) -> None:
    ds = opened(server, scale=scale, chunks=200)
    want = stored(server, "red").astype(np.float64) * 2.75e-5 - 0.2
    seen = stored(server, "qa_pixel") == 5440
    assert ds.red.dtype == (np.float32 if scale else np.uint16)
    now = ds
    for step in ("once", "twice"):
        filled = now.inpaint.telea(radius=2) if step == "once" else now
        filled.to_zarr(tmp_path / f"{step}.zarr", zarr_format=3, consolidated=False)
        now = xr.open_zarr(tmp_path / f"{step}.zarr", decode_coords="all", consolidated=False)
        np.testing.assert_allclose(now.red[0].values[seen], want[seen], rtol=0, atol=1e-7)
        assert now.rio.crs.to_epsg() == 32618
        made = (now.red_provenance[0] == FILLED).values
        assert made.any() and 0 < float(now.red[0].values[made].min()) < 1
        assert np.isnan(now.red[0].values[(now.red_provenance[0] == 0).values & ~seen]).any()
    raw = xr.open_zarr(tmp_path / "once.zarr", mask_and_scale=False, consolidated=False)
    assert raw.red.dtype == ds.red.dtype


@pytest.mark.filterwarnings("ignore:chunks of")
def test_stored_numbers_stay_integers_with_nodata(server: Server) -> None:
    ds = opened(server, scale=False)
    filled = ds.inpaint.telea(radius=2).compute()
    raw = stored(server, "red")
    assert filled.red.dtype == np.uint16 and filled.red.attrs["_FillValue"] == 0
    code = filled.red_provenance[0].values
    np.testing.assert_array_equal(filled.red[0].values[code == OBSERVED], raw[code == OBSERVED])
    assert (filled.red[0].values[code == FILLED] != 0).all() and (code == FILLED).any()
    twice = opened(server, scale=(1e-4, 0.5)).red[0].compute()
    np.testing.assert_allclose(twice.values[raw > 0], raw[raw > 0] * 1e-4 + 0.5, atol=1e-6)


TROUBLE = {
    "404": "HTTP 404",
    "403": "HTTP 403",
    "500": "HTTP 500",
    "html": "the answer is HTML",
    "truncated": "truncated",
    "flip": "cannot be decoded",
    "slow": "timeout",
}


@pytest.mark.parametrize("engine", ["odc-stac", "stackstac"])
@pytest.mark.parametrize("mode", TROUBLE)
def test_a_failure_is_named_and_keeps_no_secret(
    server: Server, mode: str, engine: str, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    items = catalogue.spoiled(server, mode)
    ds = opened(server, items, engine=engine, timeout=0.4 if mode == "slow" else 5.0)
    with pytest.raises(DataError) as caught:
        ds.red.compute(scheduler="synchronous")
    text = str(caught.value)
    assert "asset 'red' of item 'LE07_2005-01-19'" in text and TROUBLE[mode] in text, text
    seen, cause = [text, caplog.text, *capfd.readouterr(), repr(ds), str(ds.attrs)], caught.value
    while (cause := cause.__cause__ or cause.__context__) is not None:  # type: ignore[assignment]
        seen.append(str(cause))
    assert not any("SECRET" in part or "sig=" in part for part in seen)
    assert ds.nir08.compute(scheduler="synchronous").shape == (3, 160, 160)


@pytest.mark.filterwarnings("ignore:chunks of", "ignore:asset 'red' of item")
@pytest.mark.parametrize("engine", ["odc-stac", "stackstac"])
@pytest.mark.parametrize("mode", ["404", "html", "truncated", "flip"])
def test_a_failure_is_marked_and_never_filled(server: Server, mode: str, engine: str) -> None:
    ds = opened(server, catalogue.spoiled(server, mode), on_read_error="mark", engine=engine)
    filled = ds.inpaint.linear_time().compute()
    clean = opened(server).inpaint.linear_time().compute()
    failed = filled.red_provenance.values == READ_FAILED
    assert failed[1].any() and not failed[[0, 2]].any()
    assert np.isnan(filled.red.values[failed]).all()
    if mode in ("404", "html"):  # the whole file: nothing of that date is observed or filled
        assert (filled.red_provenance.values[1] == READ_FAILED).all()
    ok = ~failed[1]
    before, after = clean.red_provenance.values[1][ok], filled.red_provenance.values[1][ok]
    np.testing.assert_array_equal(after == OBSERVED, before == OBSERVED)
    np.testing.assert_array_equal(filled.nir08_provenance, clean.nir08_provenance)
    np.testing.assert_array_equal(filled.nir08, clean.nir08)


@pytest.mark.filterwarnings("ignore:chunks of", "ignore:asset 'qa_pixel' of item")
def test_without_its_quality_layer_a_date_says_nothing(server: Server) -> None:
    ds = opened(server, catalogue.spoiled(server, "404", "qa_pixel"), on_read_error="mark")
    filled = ds.inpaint.linear_time().compute()
    for band in ("red", "nir08"):
        assert (filled[f"{band}_provenance"].values[1] == READ_FAILED).all()


def test_a_date_that_cannot_be_read_is_left_out(server: Server) -> None:
    with pytest.warns(UserWarning, match="the date 2005-01-19 is left out: asset 'red'.*HTTP 404"):
        ds = opened(server, catalogue.spoiled(server, "404"), on_read_error="skip_date")
    assert ds.sizes["time"] == 2 and not ds.read_failed.compute().any()
    late = opened(server, catalogue.spoiled(server, "truncated"), on_read_error="skip_date")
    with pytest.warns(UserWarning, match="asset 'red'.*truncated"):
        bits = late.read_failed.compute()
    assert set(np.unique(bits[1])) == {0, 3} or (bits[1] == 3).all()
    assert not bits[0].any()
    everywhere = catalogue.items(server, "404")
    with pytest.raises(DataError, match="no date is left"), pytest.warns(UserWarning, match="out"):
        opened(server, everywhere, on_read_error="skip_date")


def test_a_busy_server_is_asked_again(server: Server) -> None:
    ds = opened(server, catalogue.spoiled(server, "flaky"), retries=6)
    np.testing.assert_array_equal(
        ds.red[1].compute(scheduler="synchronous"), opened(server).red[1].compute()
    )


def test_addresses_are_signed_when_read_and_again_when_a_token_ends(server: Server) -> None:
    signed: list[float] = []

    def sign(href: str) -> str:
        signed.append(server.clock + 45 * 60)
        return f"{href}?sig={signed[-1]}"

    server.clock = 0.0
    ds = opened(server, catalogue.items(server, "signed"), patch_url=sign)
    assert not signed  # nothing is signed before it is read
    first = ds.red[0].compute(scheduler="synchronous")
    server.clock += 46 * 60
    later = ds.red[1].compute(scheduler="synchronous")
    assert len(set(signed)) == 2
    clean = opened(server).red.compute()
    np.testing.assert_array_equal(first, clean[0])
    np.testing.assert_array_equal(later, clean[1])
    assert "sig=" not in repr(ds) + str(ds.attrs) + str(dict(ds.red.data.dask))
    stale = opened(server, catalogue.items(server, "signed"), patch_url=lambda h: f"{h}?sig=0")
    with pytest.raises(DataError, match="HTTP 403") as caught:
        stale.red[0].compute(scheduler="synchronous")
    assert "sig=" not in str(caught.value)


def sign_here(href: str) -> str:
    return f"{href}?sig=1e9&process={os.getpid()}"


def test_workers_sign_by_themselves(server: Server) -> None:
    ds = opened(server, catalogue.items(server, "signed"), patch_url=sign_here, chunks=200)
    server.asked.clear()
    read = ds.red[0].compute(scheduler="processes", num_workers=1)
    np.testing.assert_array_equal(read, opened(server).red[0].compute())
    signed = {path.rpartition("process=")[2] for path in server.asked if "process=" in path}
    assert len(signed) == 1 and str(os.getpid()) not in signed


def test_one_day_of_the_sun_is_one_date(server: Server) -> None:
    items = catalogue.items(server)
    items[1]["properties"]["datetime"] = "2005-01-03T15:30:24Z"
    assert opened(server, items).sizes["time"] == 2
    assert opened(server, items, groupby="time").sizes["time"] == 3
    ds = opened(server, items, scale=False).compute()
    first, second = stored(server, "red", 0), stored(server, "red", 1)
    np.testing.assert_array_equal(ds.red[0], np.where(first != 0, first, second))
    assert ds.item.values[0] == "LE07_2005-01-03 LE07_2005-01-19"


def test_items_of_several_crs_are_refused_or_brought_together(server: Server) -> None:
    values = np.full((40, 40), 9000, np.uint16)
    catalogue.write(server.folder / "west_red.tif", values, 0, crs="EPSG:32617", left=9e5)
    items = catalogue.items(server)[:1]
    items.append(catalogue.item("west", "2005-03-01", f"{server.url}/ok"))
    items[1]["properties"] |= {
        "proj:epsg": 32617, "proj:shape": [40, 40],
        "proj:transform": [30.0, 0.0, 9e5, 0.0, -30.0, catalogue.TOP],
    }  # fmt: skip
    with pytest.raises(DataError, match=r"2 coordinate systems \(EPSG:32617, EPSG:32618\)"):
        opened(server, items, bands=["red"], quality=None)
    ds = opened(server, items, bands=["red"], quality=None, crs="EPSG:32618", scale=False)
    assert (ds.red[1] == 9000).sum() > 1000


def test_what_items_leave_unsaid_is_read_from_the_files(server: Server) -> None:
    items = catalogue.items(server)
    for item in items:
        for asset in item["assets"].values():
            asset.pop("raster:bands")
        for key in ("proj:epsg", "proj:shape", "proj:transform"):
            item["properties"].pop(key)
    xr.testing.assert_identical(opened(server, items).compute(), opened(server).compute())
    for item in items:
        item["collection"] = "unheard-of"
    with pytest.raises(DataError, match="nothing says the scale of 'red'"):
        opened(server, items)


def test_mistakes_are_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no asset or band 'rot'; it has nir08, qa_pixel, red"):
        opened(server, bands=["rot"])
    with pytest.raises(SchemaError, match="open_stac takes no 'engin'"):
        opened(server, engin="odc-stac")
    with pytest.raises(SchemaError, match="engine='gdal'; wanted one of odc-stac, stackstac"):
        opened(server, engine="gdal")
    with pytest.raises(DataError, match="is neither a URL nor"):
        xinpaint.open_stac(tmp_path / "none.json", bands=["red"])
    with pytest.raises(DataError, match=r"wanted .west, south, east, north. in degrees"):
        opened(server, bbox=(1, 2, 0, 3))
