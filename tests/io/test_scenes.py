"""Files as a cube: one schema, each scale once, grids that fit or a refusal."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr

import xinpaint
from tests.io.products import ADD, CLOUD, MULT, SUN, bomb, product, write_tiff
from xinpaint.core.task import READ_FAILED
from xinpaint.errors import DataError, RefusedError, SchemaError

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul:PendingDeprecationWarning",  # in rasterio and rioxarray
    "ignore:Consolidated metadata",
)

SIX = ["blue", "green", "red", "nir08", "swir16", "swir22"]


def test_a_level_2_folder(tmp_path):
    home, layers = product(tmp_path)
    ds = xinpaint.open_scenes(home)
    assert list(ds.data_vars) == [*SIX, "observed", "qa"]
    assert ds.red.dims == ("time", "y", "x")
    assert all(v.chunks is not None for v in ds.data_vars.values())
    truth = np.where(layers["red"] == 0, np.nan, layers["red"] * 2.75e-5 - 0.2)
    np.testing.assert_array_equal(ds.red.values[0], truth.astype(np.float32))
    assert not {"scale_factor", "add_offset"} & {*ds.red.attrs, *ds.red.encoding}
    seen = (layers["qa_pixel"] & 0b11111) == 0
    np.testing.assert_array_equal(ds.observed.values[0], seen)
    assert ds.platform.values.tolist() == ["landsat-7"]
    assert ds.sensor.values.tolist() == ["ETM+"]
    assert ds.time.values[0] == np.datetime64("2005-01-04T15:09:50.162277100")
    assert ds.rio.crs.to_epsg() == 32618
    assert ds.rio.transform().to_gdal() == (500_000, 30, 0, 4_000_000, 0, -30)


def test_level_1_is_reflectance_at_the_top_of_the_atmosphere(tmp_path):
    for day, sun, seed in (("2005-01-04", SUN, 0), ("2005-06-13", 30.0, 1)):
        _, layers = product(tmp_path, day=day, level="L1TP", sun=sun, seed=seed)
    ds = xinpaint.open_scenes(tmp_path)
    assert ds.sizes["time"] == 2
    sine = math.sin(math.radians(30.0))  # each date has its own sun
    truth = np.where(layers["red"] == 0, np.nan, (MULT * layers["red"] + ADD) / sine)
    np.testing.assert_allclose(ds.red.values[1], truth, rtol=1e-6)
    numbers = xinpaint.open_scenes(tmp_path, reflectance=False)
    assert numbers.red.dtype == np.uint8
    assert "scale_factor" not in numbers.red.attrs  # two suns, no one number


def test_numbers_as_stored_on_request(tmp_path):
    home, layers = product(tmp_path)
    ds = xinpaint.open_scenes(home, reflectance=False)
    assert ds.red.dtype == np.uint16
    np.testing.assert_array_equal(ds.red.values[0], layers["red"])
    assert ds.red.attrs["_FillValue"] == 0
    assert (ds.red.attrs["scale_factor"], ds.red.attrs["add_offset"]) == (2.75e-5, -0.2)


def test_masks_are_a_choice(tmp_path):
    home, layers = product(tmp_path)
    assert xinpaint.open_scenes(home, mask=("fill",)).observed.values[0, -1, -1]
    saturated = xinpaint.open_scenes(home, mask=("fill", "saturated")).observed.values[0]
    assert not saturated[0, :5].any()
    assert saturated[0, 5:].all()
    wide = xinpaint.open_scenes(home, dilate=3, chunk=16).observed.values[0]
    narrow = xinpaint.open_scenes(home, chunk=16).observed.values[0]
    cloud = layers["qa_pixel"] == CLOUD
    assert not narrow[cloud].any()
    assert narrow[-11:, -20].all() and not wide[-5, -11] and wide[-5, -12]  # 3 px from column -8
    with pytest.raises(SchemaError, match="clouds"):
        xinpaint.open_scenes(home, mask=("clouds",))


def test_chunks_change_nothing(tmp_path):
    home, _ = product(tmp_path)
    xr.testing.assert_identical(
        xinpaint.open_scenes(home, chunk=16, dilate=2).compute(),
        xinpaint.open_scenes(home, dilate=2).compute(),
    )


def test_dates_of_other_extents_share_a_grid(tmp_path):
    _, first = product(tmp_path, day="2005-01-04")
    _, second = product(tmp_path, day="2005-01-20", x=500_000 - 60, seed=1)
    ds = xinpaint.open_scenes(str(tmp_path / "LE07*"), chunk=16)
    assert dict(ds.sizes) == {"time": 2, "y": 40, "x": 52}
    red = ds.red.values
    assert np.isnan(red[0, :, :2]).all() and np.isnan(red[1, :, -2:]).all()
    expected = np.where(first["red"] == 0, np.nan, first["red"] * 2.75e-5 - 0.2)
    np.testing.assert_array_equal(red[0, :, 2:], expected.astype(np.float32))
    assert not ds.observed.values[0, :, :2].any()  # beyond the swath nothing was seen
    expected = np.where(second["red"] == 0, np.nan, second["red"] * 2.75e-5 - 0.2)
    np.testing.assert_array_equal(red[1, :, :50], expected.astype(np.float32))


def test_two_rows_of_one_pass_are_one_date(tmp_path):
    _, north = product(tmp_path, row=59)
    _, south = product(tmp_path, row=60, x=500_000 + 30 * 40, seed=1)
    ds = xinpaint.open_scenes(tmp_path, reflectance=False)
    assert dict(ds.sizes) == {"time": 1, "y": 40, "x": 90}
    np.testing.assert_array_equal(ds.red.values[0, :, :40], north["red"][:, :40])
    np.testing.assert_array_equal(ds.red.values[0, :, 50:], south["red"][:, 10:])


@pytest.mark.parametrize(("how", "said"), [
    ({"x": 500_015}, "not on one grid"), ({"epsg": 32619}, "not on one grid"),
])  # fmt: skip
def test_grids_that_do_not_fit_are_refused(tmp_path, how, said):
    for day, where in (("20050104", {}), ("20050120", how)):
        values = np.ones((8, 8), np.uint16)
        write_tiff(tmp_path / f"place_{day}.tif", values, nodata=0, **where)
    with pytest.raises(SchemaError, match=said) as caught:
        xinpaint.open_scenes(tmp_path)
    assert "place_20050104.tif" in str(caught.value)
    assert "place_20050120.tif" in str(caught.value)


def test_levels_do_not_mix(tmp_path):
    product(tmp_path, level="L1TP")
    product(tmp_path, day="2005-01-20", level="L2SP")
    with pytest.raises(SchemaError, match="open level 1 and level 2 apart"):
        xinpaint.open_scenes(tmp_path)


def test_loose_files_and_globs(tmp_path):
    home, _ = product(tmp_path)
    whole = xinpaint.open_scenes(home)
    for path in home.glob("*_MTL.txt"):
        path.unlink()
    loose = xinpaint.open_scenes(str(home / "*.TIF"))
    xr.testing.assert_equal(loose.drop_vars(["time", "item"]), whole.drop_vars(["time", "item"]))
    assert str(loose.time.values[0])[:10] == "2005-01-04"


def test_stacks_with_descriptions_and_their_own_scale(tmp_path):
    values = np.arange(1, 129, dtype=np.int16).reshape(2, 8, 8)
    values[:, 3] = -9999
    path = tmp_path / "hls_place_2020-03-04.tif"
    write_tiff(path, values, nodata=-9999)
    import rasterio

    with rasterio.open(path, "r+") as out:
        out.descriptions = ("red", "NIR")
        out.scales, out.offsets = (1e-4, 1e-4), (0.0, 0.0)
    ds = xinpaint.open_scenes(path)
    assert list(ds.data_vars) == ["red", "nir08"]
    np.testing.assert_allclose(ds.nir08.values[0, 0], values[1, 0] * 1e-4, rtol=1e-6)
    assert np.isnan(ds.red.values[0, 3]).all()
    other = xinpaint.open_scenes(path, scale=(1e-3, 0.5))
    np.testing.assert_allclose(other.red.values[0, 0], values[0, 0] * 1e-3 + 0.5, rtol=1e-6)


def test_files_that_are_not_read_are_told_of(tmp_path):
    import rasterio

    path = tmp_path / "tm_place_20200304.tif"
    write_tiff(path, np.ones((1, 8, 8), np.int16))
    with rasterio.open(path, "r+") as out:
        out.descriptions = ("red",)
    quality = np.zeros((8, 8), np.uint8)
    quality[2] = 4
    beside = tmp_path / "tm_place_20200304_qa.tif"
    write_tiff(beside, quality)
    with pytest.warns(UserWarning, match=r"1 files such as tm_place_20200304_qa\.tif .* _cfmask"):
        assert "observed" not in xinpaint.open_scenes(tmp_path)
    beside.rename(tmp_path / "tm_place_20200304_cfmask.tif")
    ds = xinpaint.open_scenes(tmp_path)
    assert not ds.observed.values[0, 2].any() and ds.observed.values[0, 3].all()
    home, _ = product(tmp_path)
    shutil.copy(path, home / path.name)
    with pytest.warns(UserWarning, match=f"1 files such as {path.name} belong to no _MTL.txt"):
        assert list(xinpaint.open_scenes(home).data_vars) == [*SIX, "observed", "qa"]


def test_espa_products_have_level_1_metadata_beside_them(tmp_path):
    home, _ = product(tmp_path, level="L1TP")
    stem = home.name
    for number in (1, 2, 3, 4, 5, 7):
        for old in home.glob(f"*_B{number}.TIF"):
            old.unlink()
        surface = np.full((40, 50), 1000 + number, np.int16)
        surface[0] = -9999
        write_tiff(home / f"{stem}_sr_band{number}.tif", surface)
    ds = xinpaint.open_scenes(home)
    assert float(ds.red[0, 5, 5]) == pytest.approx(0.1003)
    assert np.isnan(ds.red.values[0, 0]).all()


def test_a_damaged_file_is_an_error_and_no_gap(tmp_path):
    home, _ = product(tmp_path)
    (red,) = home.glob("*_SR_B3.TIF")
    whole = red.read_bytes()
    red.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="SR_B3") as caught:
        xinpaint.open_scenes(home).compute()
    assert "fetch it again" in str(caught.value) or "does not open" in str(caught.value)


def damaged(tmp_path, ending, keep=0.5):
    """Two dates; of the second one file is cut short."""
    product(tmp_path)
    home, _ = product(tmp_path, day="2005-01-20", seed=1)
    (path,) = home.glob(f"*_{ending}.TIF")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    return path


@pytest.mark.filterwarnings("ignore:chunks of", "ignore:.* it is cut short or damaged")
@pytest.mark.parametrize("ending", ["SR_B3", "QA_PIXEL"])
def test_a_damaged_file_is_marked_and_never_filled(tmp_path, ending):
    whole = xinpaint.open_scenes(product(tmp_path / "whole", day="2005-01-20", seed=1)[0])
    damaged(tmp_path / "bad", ending)
    with pytest.warns(UserWarning, match=f"{ending}.*cut short or damaged"):
        ds = xinpaint.open_scenes(tmp_path / "bad", on_read_error="mark", chunk=16).load()
    bits = dict(zip(ds.read_failed.flag_meanings.split(), ds.read_failed.flag_masks, strict=True))
    failed = (ds.read_failed & bits["red"]).values != 0
    assert failed[1].any() and not failed[1].all() and not failed[0].any()
    assert ((ds.read_failed & bits["blue"]).values != 0)[1].any() == (ending == "QA_PIXEL")
    np.testing.assert_array_equal(ds.red.values[1][~failed[1]], whole.red.values[0][~failed[1]])
    filled = ds.inpaint.linear_time()
    assert (filled.red_provenance.values[failed] == READ_FAILED).all()
    assert not (filled.red_provenance.values[~failed] == READ_FAILED).any()
    if ending == "SR_B3":
        assert np.isnan(filled.red.values[failed]).all()
        assert (filled.blue_provenance.values != READ_FAILED).all()


def test_a_date_that_does_not_open_is_left_out(tmp_path):
    path = damaged(tmp_path, "SR_B3", keep=0.01)
    for policy in ("raise", "mark"):
        with pytest.raises(DataError, match=r"SR_B3\.TIF does not open"):
            xinpaint.open_scenes(tmp_path, on_read_error=policy)
    with pytest.warns(UserWarning, match=r"a date is left out: .*SR_B3\.TIF does not open"):
        ds = xinpaint.open_scenes(tmp_path, on_read_error="skip_date")
    assert ds.sizes["time"] == 1 and not ds.read_failed.values.any()
    assert path.parent.name not in str(ds.item.values)
    damaged(tmp_path / "late", "SR_B3")
    with pytest.warns(UserWarning, match="cut short or damaged"):
        late = xinpaint.open_scenes(tmp_path / "late", on_read_error="skip_date").load()
    assert set(np.unique(late.read_failed[1])) == {2 ** len(SIX) - 1}  # one chunk, all bands


def test_what_a_policy_does_not_suit_is_said(tmp_path):
    home, _ = product(tmp_path)
    with pytest.raises(SchemaError, match="on_read_error='skip'; wanted one of raise, mark"):
        xinpaint.open_scenes(home, on_read_error="skip")
    xinpaint.open_scenes(home, bands=["red"]).to_zarr(tmp_path / "cube.zarr")
    with pytest.raises(SchemaError, match=r"'mark' for cube\.zarr; a Zarr store or NetCDF"):
        xinpaint.open_scenes(tmp_path / "cube.zarr", on_read_error="mark")


def test_a_vrt_called_tif_is_refused(tmp_path):
    write_tiff(tmp_path / "secret.tif", np.ones((4, 4), np.uint8))
    (tmp_path / "place_20050104.tif").write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>secret.tif</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(DataError, match=r"place_20050104\.tif does not open as GeoTIFF"):
        xinpaint.open_scenes(tmp_path / "place_20050104.tif")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "is not there"),
        (lambda folder: str(folder / "*.tif"), "nothing matches"),
        (lambda folder: folder, "found no scene"),
        (lambda folder: [], "found no scene in nothing"),
    ],
)
def test_nothing_there(tmp_path, make, said):
    with pytest.raises(DataError, match=said):
        xinpaint.open_scenes(make(tmp_path))


def test_archives_and_dateless_files_are_told_apart(tmp_path):
    (tmp_path / "LE07.tar").write_bytes(b"")
    with pytest.raises(DataError, match="unpack archives first"):
        xinpaint.open_scenes(tmp_path / "LE07.tar")
    write_tiff(tmp_path / "mine.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"holds no date; rename it to <place>_<yyyymmdd>.tif"):
        xinpaint.open_scenes(tmp_path)


def test_missing_bands_are_named(tmp_path):
    home, _ = product(tmp_path)
    with pytest.raises(SchemaError, match="has no 'coastal'; it has"):
        xinpaint.open_scenes(home, bands=["red", "coastal"])
    with pytest.raises(SchemaError, match=r"wanted a sequence of names"):
        xinpaint.open_scenes(home, bands="red")
    next(home.glob("*_B3.TIF")).unlink()
    assert "red" not in xinpaint.open_scenes(home)


def test_quality_layers_stay_whole_on_request(tmp_path):
    home, layers = product(tmp_path)
    ds = xinpaint.open_scenes(home, bands=["nir", "qa_pixel"])
    assert list(ds.data_vars) == ["nir08", "qa_pixel", "observed", "qa"]
    assert ds.qa_pixel.dtype == np.uint16
    np.testing.assert_array_equal(ds.qa_pixel.values[0], layers["qa_pixel"])


def test_colombia_from_folder_to_filled_in_one_line(data_dir, tmp_path):
    stem = "etm_colombia_20161209"
    for path in (data_dir / "slc_off").glob(f"{stem}*"):
        shutil.copy(path, tmp_path)
    filled = xinpaint.open_scenes(tmp_path).inpaint.fillnodata()
    red = filled.red_provenance.isel(time=0).compute()
    import rasterio

    with rasterio.open(data_dir / "slc_off" / f"{stem}.tif") as source:
        numbers = source.read(3)
        crs, transform = source.crs, source.transform
    with rasterio.open(data_dir / "slc_off" / f"{stem}_pixel_qa.tif") as source:
        quality = source.read(1)
    cloudy = quality & 0b101001 != 0  # fill, shadow, cloud
    assert set(np.unique(red.values[cloudy | (numbers == 0)])) <= {0, 2, 3}
    assert (red == 2).mean() > 0.2
    assert filled.rio.crs == crs and filled.rio.transform() == transform
    seen = (red == 1).values
    truth = (1.8832e-3 * numbers[seen] - 0.011874) / math.sin(math.radians(56.08655170))
    np.testing.assert_allclose(filled.red.values[0][seen], truth, rtol=1e-5)


def test_netcdf_and_zarr_are_opened_rightly(tmp_path):
    pytest.importorskip("h5netcdf")
    home, layers = product(tmp_path / "in")
    numbers = xinpaint.open_scenes(home, bands=["red", "qa_pixel"], reflectance=False)
    numbers.to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    numbers.to_zarr(tmp_path / "cube.zarr", consolidated=True)
    truth = np.where(layers["red"] == 0, np.nan, layers["red"] * 2.75e-5 - 0.2)
    for name in ("cube.nc", "cube.zarr"):
        ds = xinpaint.open_scenes(tmp_path / name)
        np.testing.assert_allclose(ds.red.values[0], truth, rtol=1e-6)
        assert ds.qa_pixel.dtype == np.uint16 and ds.observed.dtype == bool
        assert ds.rio.crs.to_epsg() == 32618  # without decode_coords="all" it would be gone
        assert ds.red.chunks is not None
        raw = xinpaint.open_scenes(tmp_path / name, reflectance=False, bands=["red"])
        np.testing.assert_array_equal(raw.red.values[0], layers["red"])
        xr.testing.assert_equal(ds.observed, numbers.observed)
    with pytest.raises(SchemaError, match="has no"):
        xinpaint.open_scenes(tmp_path / "cube.nc", bands=["nir08"])


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "place_20050104.tif"
    bomb(path, 60_000, 60_000)
    with pytest.raises(RefusedError, match=r"place_20050104\.tif: .* 60000 x 60000 pixels"):
        xinpaint.open_scenes(path)
