"""Which bands an index finds, what of them was seen, and how their numbers become reflectance."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.cube.fillers import WindowMean
from tests.cube.ponds import GONE, YEAR, cube, states
from xinpaint.cube import water
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import SchemaError
from xinpaint.water.extent import Rule

TRUTH = states(2)


def make(*bands: str) -> xr.Dataset:
    return cube(TRUTH, YEAR[:2], bands) if bands else cube(TRUTH, YEAR[:2])


def scaled(ds: xr.Dataset, place: str, dtype: str = "int16") -> xr.Dataset:
    """Pack reflectance into other numbers, with a scale in the attributes or the encoding."""
    made = ds.copy()
    for name in ds.data_vars:
        seen = ds[name] != GONE
        packed = (ds[name] + 2000) / 2  # reflectance = packed * 2e-4 - 0.2
        made[name] = packed.where(seen, GONE).round().astype(dtype).assign_attrs(nodata=GONE)
        getattr(made[name], place).update(scale_factor=2e-4, add_offset=-0.2)
    return made


@pytest.mark.parametrize(
    ("bands", "index"),
    [
        (("green", "nir", "swir1", "red"), "mndwi"),
        (("green", "nir", "red"), "ndwi"),
        (("red", "nir", "swir1"), "red_swir"),
    ],
)
def test_auto_takes_what_there_is(bands, index):
    made = water.extent(make(*bands))
    assert made.extent.attrs["index"] == index
    np.testing.assert_array_equal(made.extent, TRUTH)


def test_auto_takes_awei_where_the_scale_is_known():
    assert "mndwi" in water.index(make())
    assert "awei_sh" in water.index(make(), Rule(scale=1e-4))
    assert "awei_sh" in water.index(scaled(make(), "attrs"))


def test_aliases_in_any_case():
    names = {"green": "Green", "nir": "NIR08", "swir1": "swir16", "swir2": "swir22"}
    renamed = water.index(make().rename(names), Rule("awei_nsh", scale=1e-4))
    xr.testing.assert_identical(renamed, water.index(make(), Rule("awei_nsh", scale=1e-4)))


def test_the_first_of_two_near_infrareds():
    ds = make().assign(nir08=lambda ds: ds.nir * 0)
    xr.testing.assert_equal(water.index(ds, Rule("ndwi")), water.index(make(), Rule("ndwi")))


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_scale_in_attributes_is_applied(dtype):
    wanted = water.index(make(), Rule("awei_sh", scale=1e-4)).awei_sh
    made = water.index(scaled(make(), "attrs", dtype), Rule("awei_sh")).awei_sh
    np.testing.assert_allclose(made, wanted, atol=2e-3)  # half a count of rounding in each band
    ratio = water.index(scaled(make(), "attrs", dtype), Rule("mndwi")).mndwi
    np.testing.assert_allclose(ratio, water.index(make(), Rule("mndwi")).mndwi, atol=5e-3)


def test_scale_in_the_encoding_is_applied_once():
    wanted = water.index(make(), Rule("awei_sh", scale=1e-4)).awei_sh
    packed = scaled(make(), "encoding")
    np.testing.assert_allclose(water.index(packed, Rule("awei_sh")).awei_sh, wanted, atol=2e-3)
    decoded = make().map(lambda a: a.where(a != GONE) * np.float32(1e-4))
    for name in decoded.data_vars:  # as xarray opens a packed file
        decoded[name].encoding.update(scale_factor=2e-4, add_offset=-0.2, dtype="int16")
    np.testing.assert_allclose(water.index(decoded, Rule("awei_sh")).awei_sh, wanted, atol=1e-5)
    assert "awei_sh" in water.index(decoded)


def test_the_rules_own_scale_comes_first():
    packed = scaled(make(), "attrs")
    packed["green"].attrs["scale_factor"] = 7.0
    made = water.index(packed, Rule("mndwi", scale=2e-4, offset=-0.2))
    np.testing.assert_allclose(made.mndwi, water.index(make(), Rule("mndwi")).mndwi, atol=5e-3)


def test_sign_of_a_ratio_needs_no_scale():
    packed = scaled(make(), "attrs").map(lambda a: a.drop_attrs().assign_attrs(nodata=GONE))
    np.testing.assert_array_equal(water.extent(packed).extent, TRUTH)


@pytest.mark.parametrize("index", ["awei_sh", "awei_nsh"])
def test_digital_numbers_are_refused(index):
    with pytest.raises(SchemaError, match=r"found integers without scale_factor: pass scale="):
        water.extent(make(), Rule(index))
    tiff = make().map(lambda a: a.assign_attrs(scale_factor=1.0, add_offset=0.0))  # says nothing
    with pytest.raises(SchemaError, match="pass scale="):
        water.extent(tiff, Rule(index))
    floats = make().map(lambda a: a.where(a != GONE).drop_attrs())
    with pytest.raises(SchemaError, match=r"a band is .* on average: pass scale="):
        water.extent(floats, Rule(index))


def test_nonsense_scale():
    ds = make()
    ds["green"].attrs["scale_factor"] = "small"
    with pytest.raises(SchemaError, match=r"'small'.*wanted numbers"):
        water.index(ds)


def test_missing_bands_are_named():
    with pytest.raises(SchemaError, match=r"found \['nir', 'swir2'\].*green, swir1 \(mndwi\)"):
        water.extent(make("nir", "swir2"))
    with pytest.raises(SchemaError, match=r"needs green, swir1; found \['green'\], missing swir1"):
        water.extent(make("green"), Rule("mndwi"))


def test_bands_of_different_dims():
    ds = make("green", "swir1")
    ds["green"] = ds.green.isel(time=0, drop=True)
    with pytest.raises(SchemaError, match="bands differ in dims"):
        water.extent(ds)


def test_filled_counts_as_seen_and_not_filled_does_not():
    ds = make("green", "swir1")
    codes = np.where(TRUTH == 255, 2, 1).astype(np.uint8)
    codes[0, 0, :4] = (0, 3, 4, 1)
    filled = cube(np.where(TRUTH == 255, 1, TRUTH), YEAR[:2], ("green", "swir1"))
    filled["QA_PIXEL"] = (filled.green.dims, np.full(TRUTH.shape, 1 << 3, np.uint16))  # all cloud
    for band in ds.data_vars:
        filled[f"{band}_provenance"] = (filled.green.dims, codes)
    wanted = np.where(TRUTH == 255, np.uint8(1), TRUTH)
    wanted[0, 0, :3] = 255
    np.testing.assert_array_equal(water.extent(filled).extent, wanted)


def test_straight_behind_a_filler():
    ds = make("green", "swir1")
    filled = inpaint(ds.chunk({"time": 1}), WindowMean(2), name="mean", where=True)
    made = water.extent(filled).extent
    seen = TRUTH != 255
    np.testing.assert_array_equal(made.values[seen], TRUTH[seen])
    assert (made.values[~seen] != 255).mean() > 0.9


def test_quality_and_observed():
    ds = make("green", "swir1")
    cloud = np.zeros(TRUTH.shape, np.uint16)
    cloud[1] = 1 << 3
    clouded = ds.assign(QA_PIXEL=(ds.green.dims, cloud))
    assert (water.extent(clouded).extent[1] == 255).all()
    np.testing.assert_array_equal(water.extent(clouded).extent[0], TRUTH[0])
    np.testing.assert_array_equal(water.extent(clouded, observed=True).extent, TRUTH)
    mask = xr.DataArray(np.arange(15) > 6, dims="x", coords={"x": ds.x})
    made = water.extent(ds, observed=mask).extent
    assert (made[:, :, :7] == 255).all()
    np.testing.assert_array_equal(made[:, :, 7:], TRUTH[:, :, 7:])


def test_one_missing_band_is_enough():
    ds = make("green", "swir1")
    ds["swir1"] = ds.swir1.where(ds.x != ds.x[3], GONE).assign_attrs(nodata=GONE)
    assert (water.extent(ds).extent[:, :, 3] == 255).all()


@pytest.mark.parametrize("lazy", [False, True])
def test_a_band_dim(lazy):
    ds = make("red", "nir", "swir1")
    array = ds.to_dataarray("band", name="refl").assign_attrs(nodata=GONE)
    array = array.chunk({"band": 1, "y": 5}) if lazy else array
    wanted = water.extent(ds)
    for given in (array, array.to_dataset(), array.transpose("time", "band", "y", "x")):
        np.testing.assert_array_equal(water.extent(given).extent, wanted.extent)
    numbered = array.assign_coords(band=[1, 2, 3])
    with pytest.raises(SchemaError, match="have no names"):
        water.extent(numbered)
    described = numbered.assign_attrs(long_name=("red", "nir", "swir1"))
    np.testing.assert_array_equal(water.extent(described).extent, wanted.extent)
    titled = array.assign_coords(title=("band", ["Red", "NIR", "SWIR"]))  # as stackstac does
    assert set(water.extent(titled).coords) == set(wanted.coords)
    mask = (array != GONE) & (array.x > array.x[5])
    assert (water.extent(array, observed=mask).extent[:, :, :6] == 255).all()


def test_a_band_dim_after_filling():
    array = make("red", "nir", "swir1").to_dataarray("band", name="refl").assign_attrs(nodata=GONE)
    filled = inpaint(array, WindowMean(2), name="mean", where=True)
    made = water.extent(filled).extent.values
    np.testing.assert_array_equal(made[TRUTH != 255], TRUTH[TRUTH != 255])
    assert (made != 255).mean() > (TRUTH != 255).mean() + 0.1


def test_a_band_dim_of_one_is_no_band_dim():
    ds = make("green", "swir1")
    made = water.extent(ds.expand_dims(band=[1])).extent
    np.testing.assert_array_equal(made, TRUTH)
    with pytest.raises(SchemaError, match="several variables"):
        water.extent(xr.concat([ds, ds], "band").assign_coords(band=["green", "swir1"]))
