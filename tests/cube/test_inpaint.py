"""A cube in, the same cube out: labels, bits, dtypes, chunks, encodings."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.cube.fillers import PlaneMean, TimeMean, WindowMean
from tests.cube.make import BANDS, make
from xinpaint import __version__
from xinpaint.cube.inpaint import gaps, inpaint

FILLER = WindowMean(5)


def fill(obj: Any, filler: Any = FILLER, **options: Any) -> xr.Dataset:
    return inpaint(obj, filler, name="window_mean", **options)


@pytest.fixture(params=["numpy", "dask"])
def backing(request: pytest.FixtureRequest) -> Any:
    if request.param == "numpy":
        return lambda ds: ds
    return lambda ds: ds.chunk(dict.fromkeys(ds.dims, 100))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_observed_pixels_are_bit_identical(backing: Any, dtype: str) -> None:
    ds = make(dtype=dtype)
    before = ds.copy(deep=True)
    made = fill(backing(ds)).compute()
    for band in BANDS:
        seen = made[f"{band}_provenance"].values == 1
        assert seen.any()
        assert made[band].dtype == ds[band].dtype
        assert made[band].values[seen].tobytes() == ds[band].values[seen].tobytes()
        filled = made[f"{band}_provenance"].values == 2
        assert filled.any()
        assert np.isfinite(made[band].values[filled]).all()
        if dtype[0] != "f":
            assert (made[band].values[filled] != 0).all()
    xr.testing.assert_identical(ds, before)


def test_large_integers_stay_exact(backing: Any) -> None:
    ds = make(dtype="int32")
    ds["red"].values[:] = np.where(ds.red == 0, 0, 2**31 - 1 - ds.red)
    made = fill(backing(ds)).compute()
    seen = made.red_provenance.values == 1
    np.testing.assert_array_equal(made.red.values[seen], ds.red.values[seen])


def test_labels_are_kept(backing: Any) -> None:
    ds = make()
    ds.encoding["source"] = "here.zarr"
    ds = ds.assign_coords(month=("time", [7, 7]), platform="landsat-7")
    given = backing(ds)
    made = fill(given)
    left, right = (cube.coords.to_dataset() for cube in (made, given))
    xr.testing.assert_identical(left.drop_attrs(deep=False), right.drop_attrs(deep=False))
    assert made.attrs["title"] == "made"
    assert made.attrs["xinpaint_method"] == "window_mean"
    assert made.attrs["xinpaint_version"] == __version__
    assert made.attrs["weights_sha256"] == "0" * 64
    assert list(made.data_vars)[:3] == ["red", "red_std", "red_provenance"]
    for band in BANDS:
        attrs = dict(made[band].attrs)
        assert attrs.pop("ancillary_variables") == f"{band}_std {band}_provenance"
        assert attrs == ds[band].attrs
        assert made[band].encoding == given[band].encoding
        assert made[band].dims == ds[band].dims
        assert made[band].chunks == given[band].chunks
        assert made[f"{band}_std"].attrs["units"] == "1"
        assert made[f"{band}_std"].dtype == "float32"
        assert made[f"{band}_provenance"].dtype == "uint8"
        assert "_FillValue" not in made[f"{band}_provenance"].encoding


def test_std_and_provenance_say_the_same(backing: Any) -> None:
    made = fill(backing(make())).compute()
    std, provenance = made.red_std.values, made.red_provenance.values
    assert (std[provenance == 1] == 0).all()
    assert (std[provenance == 2] >= np.float32(1 / 12) ** 0.5).all()
    assert np.isnan(std[(provenance == 0) | (provenance == 3)]).all()
    assert (provenance[:, :, 0] == 0).all()


def test_no_std_where_the_method_has_none() -> None:
    made = fill(make(), PlaneMean())
    assert "red_std" not in made
    assert made.red.attrs["ancillary_variables"] == "red_provenance"


def test_zarr_round_trip(tmp_path: Path) -> None:
    make().chunk(time=1, y=20, x=50).to_zarr(tmp_path / "in.zarr", consolidated=False)
    ds = xr.open_zarr(
        tmp_path / "in.zarr", consolidated=False, decode_coords="all", mask_and_scale=False
    )
    with pytest.warns(UserWarning, match="chunks of 20"):
        made = fill(ds)
    made.to_zarr(tmp_path / "out.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "out.zarr", consolidated=False, decode_coords="all")
    assert again.spatial_ref.attrs == ds.spatial_ref.attrs
    assert "spatial_ref" in again.coords
    assert set(again.data_vars) == set(made.data_vars)
    assert again.red.dtype == "uint16"
    assert again.red.chunks == ds.red.chunks
    assert again.red_provenance.dtype == "uint8"
    assert again.red_std.dtype == "float32"
    for name in ("red", "red_std", "red_provenance"):
        assert again[name].encoding["grid_mapping"] == "spatial_ref"
        np.testing.assert_array_equal(again[name].values, made[name].values)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_geotiff_of_the_std_says_what_is_unknown(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    import rioxarray  # noqa: F401  (makes .rio)

    ds = make(t=1)
    ds.spatial_ref.attrs.clear()  # its transform is made up
    filled = inpaint(ds, WindowMean(), name="mean")
    std = filled[f"{BANDS[0]}_std"].isel(time=0)
    std.rio.set_spatial_dims("x", "y").rio.to_raster(tmp_path / "std.tif")
    with rasterio.open(tmp_path / "std.tif") as source:
        assert np.isnan(source.nodata)
        np.testing.assert_array_equal(source.read(1), std.values)


def test_packed_floats_are_packed_again(tmp_path: Path) -> None:
    ds = make(dtype="float32") / 10000
    packing = {"dtype": "uint16", "scale_factor": 1e-4, "_FillValue": 0}
    ds.to_zarr(
        tmp_path / "in.zarr", consolidated=False, encoding={band: dict(packing) for band in BANDS}
    )
    ds = xr.open_zarr(tmp_path / "in.zarr", consolidated=False, decode_coords="all")
    made = fill(ds)
    assert "scale_factor" not in made.red_std.encoding
    made.to_zarr(tmp_path / "out.zarr", consolidated=False)
    raw = xr.open_zarr(tmp_path / "out.zarr", consolidated=False, mask_and_scale=False)
    assert raw.red.dtype == "uint16"
    assert raw.red_std.dtype == "float32"
    before = xr.open_zarr(tmp_path / "in.zarr", consolidated=False, mask_and_scale=False)
    seen = raw.red_provenance.values == 1
    np.testing.assert_array_equal(raw.red.values[seen], before.red.values[seen])


def test_no_time_one_date_and_descending_or_ascending_y(backing: Any) -> None:
    ds = make(1)
    one = fill(backing(ds)).compute()
    flat = fill(backing(ds.isel(time=0, drop=True))).compute()
    assert flat.red.dims == ("y", "x")
    np.testing.assert_array_equal(one.red.values[0], flat.red.values)
    up = fill(backing(ds.isel(y=slice(None, None, -1)))).compute()
    np.testing.assert_array_equal(up.red.values[:, ::-1], one.red.values)


@pytest.mark.parametrize(
    "names",
    [
        ("latitude", "longitude"),
        ("lat", "lon"),
        ("northing", "easting"),
        ("Y", "X"),
        ("row", "col"),
    ],
)
def test_other_dim_names_in_any_order(backing: Any, names: tuple[str, str]) -> None:
    ds = make()
    other = ds.rename(y=names[0], x=names[1]).transpose(names[1], "time", names[0])
    other[names[0]].attrs["axis"], other[names[1]].attrs["axis"] = "Y", "X"
    made = fill(backing(other)).compute()
    assert made.red_std.dims == (names[1], "time", names[0])
    plain = fill(ds)
    np.testing.assert_array_equal(
        made.red_std.transpose("time", *names).values, plain.red_std.values
    )


@pytest.mark.filterwarnings("ignore:nothing of .* was observed")
def test_all_missing_blocks_and_dates() -> None:
    ds = make(2, 150, 170)
    ds["red"][0] = 0
    ds["nir"][:, :80, :90] = 0
    made = fill(ds.chunk(time=1, y=75, x=85)).compute()
    assert (made.red_provenance.values[0] == 0).all()
    assert np.isnan(made.red_std.values[0]).all()
    xr.testing.assert_identical(made, fill(ds))


def test_data_array_with_bands(backing: Any) -> None:
    ds = make()
    array = ds[list(BANDS)].to_dataarray("band", name="sr").transpose("time", "band", "y", "x")
    array.attrs["nodata"] = 0
    made = fill(backing(array)).compute()
    assert list(made.data_vars) == ["sr", "sr_std", "sr_provenance"]
    assert made.sr.dims == made.sr_std.dims == ("time", "band", "y", "x")
    plain = fill(ds)
    for band in BANDS:
        np.testing.assert_array_equal(
            made.sr_std.sel(band=band).values, plain[f"{band}_std"].values
        )
        np.testing.assert_array_equal(made.sr.sel(band=band).values, plain[band].values)
    assert "data_std" in fill(array.rename(None).isel(time=0, band=0, drop=True))


def test_bands_of_different_dtype_and_static_layers(backing: Any) -> None:
    ds = make()
    ds["nir"] = make(dtype="float64").nir
    ds["height"] = ds.nir.isel(time=0, drop=True)
    made = fill(backing(ds)).compute()
    assert made.red.dtype == "uint16"
    assert made.nir.dtype == "float64"
    assert made.height.dims == ("y", "x")
    np.testing.assert_array_equal(made.height.values, made.nir.values[0])


def test_other_variables_pass_through(backing: Any) -> None:
    ds = make()
    ds["qa_radsat"] = (ds.red * 0).astype("uint16")
    ds["shadow"] = ds.red > 5
    ds["classes"] = (ds.red * 0).assign_attrs(flag_values=[0, 1], flag_meanings="land water")
    ds["count"] = ("time", [1, 2])
    made = fill(backing(ds))
    for name in ("qa_radsat", "shadow", "classes", "count"):
        xr.testing.assert_identical(made[name].compute(), ds[name])
        assert f"{name}_provenance" not in made


def test_quality_band_decides(backing: Any) -> None:
    ds = make()
    cloud = np.zeros(ds.red.shape, "uint16")
    cloud[:, 18:22, 20:24] = 1 << 3
    ds["QA_PIXEL"] = (("time", "y", "x"), cloud | np.uint16(64))
    made = fill(backing(ds)).compute()
    assert (made.red_provenance.values[cloud == 72 - 64] == 2).all()
    np.testing.assert_array_equal(made.QA_PIXEL.values, ds.QA_PIXEL.values)
    said = fill(backing(ds), observed=True).compute()
    np.testing.assert_array_equal(said.red_provenance.values == 1, ds.red.values != 0)


def test_observed_and_where(backing: Any) -> None:
    ds = make()
    observed = (ds.red != 0) & (ds.x > 401000)
    made = fill(backing(ds), observed=observed).compute()
    np.testing.assert_array_equal(
        made.red_provenance.values == 1, observed.values & (ds.red.values != 0)
    )
    everywhere = fill(backing(ds), where=True).compute()
    assert not (everywhere.red_provenance.values == 0).any()
    here = fill(backing(ds), where=(ds.x < 400600).broadcast_like(ds.red.isel(time=0))).compute()
    assert (here.red_provenance.values[:, :, 21:] != 2).all()
    none = fill(backing(ds), where=False).compute()
    assert not (none.red_provenance.values >= 2).any()


def test_a_pixel_the_method_cannot_answer_keeps_nodata() -> None:
    ds = make(dtype="float32")
    ds["red"] = ds.red.fillna(-9999.0).assign_attrs(nodata=-9999.0)
    ds["red"][:, 5:35, 10:40] = -9999.0
    made = fill(ds, WindowMean(2))
    left = made.red_provenance.values == 3
    assert left.any()
    assert (made.red.values[left] == -9999).all()
    assert np.isnan(made.red_std.values[left]).all()


def test_time_methods_fill_a_date_that_is_missing_altogether(backing: Any) -> None:
    ds = make(3)
    ds["red"][1] = 0
    made = fill(backing(ds), TimeMean(None)).compute()
    seen = (ds.red.values[0] != 0) | (ds.red.values[2] != 0)
    np.testing.assert_array_equal(made.red_provenance.values[1] == 2, seen)


def test_infinite_values_in_a_dask_array_are_missing() -> None:
    ds = make(dtype="float32")
    ds["red"][0, 20, 20] = np.inf
    made = fill(ds.chunk()).compute()
    assert made.red_provenance.values[0, 20, 20] == 2
    assert np.isfinite(made.red.values[0, 20, 20])


def test_stable_names_and_pickles() -> None:
    ds = make().chunk(time=1)
    first, second = fill(ds), fill(ds)
    assert first.red.data.name == second.red.data.name
    assert first.red.data.name != fill(ds, WindowMean(6)).red.data.name
    assert first.red.data.name != fill(ds, where=True).red.data.name
    again = pickle.loads(pickle.dumps(first))
    xr.testing.assert_identical(again.compute(), first.compute())


def test_gaps_are_lazy_and_count_what_is_missing(backing: Any) -> None:
    ds = make()
    found = gaps(backing(ds))
    assert list(found.data_vars) == list(BANDS)
    assert found.red.chunks == backing(ds).red.chunks
    assert found.red.dtype == bool
    np.testing.assert_array_equal(found.red.values, ds.red.values == 0)
    assert "spatial_ref" in found.coords
    left = gaps(fill(backing(ds)))
    assert list(left.data_vars) == list(BANDS)
    assert float(left.red.mean()) < float(found.red.mean())


def test_the_std_of_an_undecoded_cube_is_decoded_with_it(tmp_path: Path) -> None:
    packed = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0}
    ds = make(1, 40, 50)
    for band in BANDS:
        ds[band].attrs = {**packed}
    raw = inpaint(ds, WindowMean(5), name="w")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")
        raw.to_zarr(tmp_path / "packed.zarr")
        made = xr.open_zarr(tmp_path / "packed.zarr").load()
    filled = raw.red_provenance.values == 2
    np.testing.assert_allclose(made.red_std, raw.red_std.values * 1e-4, rtol=1e-5)
    decoded = raw.red.values[filled] * 1e-4 - 0.1
    np.testing.assert_allclose(made.red.values[filled], decoded, rtol=1e-4)


def test_stripes_across_the_whole_image_are_filled() -> None:
    values = np.random.default_rng(0).normal(2000, 50, (128, 128)).astype("f4")
    values[10::16] = np.nan
    values[11::16] = np.nan
    for data in (values, values.T):
        ds = xr.Dataset({"red": (("y", "x"), data)})
        made = inpaint(ds, WindowMean(5), name="w")
        assert (made.red_provenance.values[np.isnan(data)] == 2).all()
