"""What counts as a band, as observed and as nodata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.cube.make import make
from xinpaint.core import qa
from xinpaint.cube import masking, schema
from xinpaint.errors import SchemaError


@pytest.mark.parametrize("key", ["nodata", "_FillValue", "missing_value", "fill_value"])
@pytest.mark.parametrize("value", [7, np.uint16(7), [7], 7.0])
def test_nodata_from_attrs(key: str, value: Any) -> None:
    ds = make(1)
    ds["red"].attrs = {key: value}
    layer = schema.read(ds).groups[0].layers[0]
    assert layer.nodata == 7


def test_nodata_from_encoding_counts_for_integers_only() -> None:
    ds = make(1)
    ds["red"].attrs.clear()
    ds["red"].encoding["_FillValue"] = 3
    assert schema.read(ds).groups[0].layers[0].nodata == 3
    floats = make(1, dtype="float32")
    floats["red"].encoding["_FillValue"] = 3
    assert schema.read(floats).groups[0].layers[0].nodata is None


def test_nodata_out_of_range_hides_nothing() -> None:
    values = np.array([0, 1, 255], np.uint8)
    assert masking.observed(values, None, -9999).all()
    assert masking.observed(values, None, 0).tolist() == [False, True, True]


def test_nodata_wins_over_observed() -> None:
    values = np.array([0.0, np.nan, np.inf, 5.0, 6.0], np.float32)
    said = np.array([True, True, True, True, False])
    assert masking.observed(values, said, 0).tolist() == [False, False, False, True, False]
    assert said.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("name", "raw", "clear"),
    [
        # fill, dilated, cirrus, cloud, shadow, snow, clear, water: real values of the products
        ("QA_PIXEL", [1, 2, 4, 22280, 23888, 30048, 21824, 21952, 5440, 5504],
         [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        ("pixel_qa", [1, 66, 68, 72, 80, 96, 224], [0, 1, 1, 0, 1, 0, 0]),
        ("BQA", [1, 672, 676, 752, 928, 2, 2720, 6816], [0, 1, 1, 0, 0, 0, 1, 0]),
        ("fmask", [0, 1, 2, 3, 4, 255], [1, 1, 0, 1, 0, 0]),
        ("oa_fmask", [0, 1, 2, 3, 4, 5], [0, 1, 0, 0, 1, 1]),
    ],
)  # fmt: skip
def test_quality_values(name: str, raw: list[int], clear: list[int]) -> None:
    rule = qa.quality_rule(name)
    assert rule is not None
    values = np.array(raw, np.uint16)
    assert qa.clear(values, rule).astype(int).tolist() == clear
    floats = np.where(values == values[0], np.nan, values).astype(np.float32)
    assert not qa.clear(floats, rule)[0]


def test_quality_without_time_holds_for_all_dates() -> None:
    ds = make(2)
    bad = np.zeros((40, 50), np.uint8)
    bad[20:25] = 4
    ds["fmask"] = (("y", "x"), bad)
    layer = schema.read(ds).groups[0].layers[0]
    assert layer.observed is not None
    assert layer.observed.shape == (2, 1, 40, 50)
    np.testing.assert_array_equal(layer.observed[1, 0], bad != 4)


def test_bands_pass_through_and_groups() -> None:
    ds = make(2)
    ds["red_std"] = ds.red.astype("float32")
    ds = ds.drop_vars("red")
    ds["dem"] = ds.nir.isel(time=0, drop=True).astype("float32")
    cube = schema.read(ds)
    assert [[layer.name for layer in group.layers] for group in cube.groups] == [
        ["nir", "red_std"],
        ["dem"],
    ]
    np.testing.assert_array_equal(np.diff(cube.groups[0].days), 16)


def test_days_of_many_kinds() -> None:
    ds = make(3)
    assert schema.read(ds).groups[0].days[0] == 12234
    numbers = ds.assign_coords(time=[3.0, 4.0, 9.0])
    assert schema.read(numbers).groups[0].days.tolist() == [3, 4, 9]
    assert schema.read(ds.drop_vars("time")).groups[0].days.tolist() == [0, 1, 2]
    stamps = xr.date_range("2003-01-01", periods=3, freq="D", use_cftime=False)
    odd = ds.assign_coords(time=("time", stamps.to_pydatetime().astype(object)))
    assert np.diff(schema.read(odd).groups[0].days).tolist() == [1, 1]


def test_what_zarr_fills_empty_chunks_with_is_not_nodata(tmp_path):
    values = np.arange(16, dtype=np.uint16).reshape(1, 4, 4)
    path = tmp_path / "cube.zarr"
    xr.Dataset({"red": (("time", "y", "x"), values)}).to_zarr(path, consolidated=False)
    ds = xr.open_zarr(path, consolidated=False)
    assert ds.red.encoding.get("fill_value") in (0, None)  # Zarr's own; older xarrays hide it
    with pytest.raises(SchemaError, match="nothing says which are missing"):
        ds.inpaint.gaps()


def test_a_dim_of_dates_by_another_name_is_to_be_called_time() -> None:
    ds = make().rename(time="day")
    with pytest.raises(SchemaError, match=r"'day'.* rename it to time"):
        schema.read(ds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fill_values_that_nothing_names_are_missing(dtype: str) -> None:
    values = np.array([1.0, 9.96921e36, -3.4e38, 1e20, 1e15, np.inf, np.nan], dtype)
    seen = masking.observed(values, None, None)
    assert seen.tolist() == [True, False, False, False, True, False, False]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("nodata", [-9999.0, 1e20])
def test_float16_is_read_without_a_warning(nodata: float) -> None:
    values = np.array([1, -9999, np.nan, np.inf], np.float16)
    wanted = [True, nodata > 0, False, False]
    assert masking.observed(values, None, nodata).tolist() == wanted
