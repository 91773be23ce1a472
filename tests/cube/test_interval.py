"""The ends of an interval: where it lies, what it keeps, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.cube.fillers import WindowMean
from tests.cube.make import make
from xinpaint.core.intervals import half_width
from xinpaint.cube.inpaint import inpaint
from xinpaint.cube.interval import interval
from xinpaint.errors import MethodError, SchemaError


@pytest.fixture
def filled() -> xr.Dataset:
    return inpaint(make(2), WindowMean(5), name="mean").compute()


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_around_the_fill_and_on_the_observed(filled: xr.Dataset, level: float) -> None:
    made = interval(filled, level)
    assert set(made.data_vars) == {f"{b}_{e}" for b in ("red", "nir") for e in ("lower", "upper")}
    for band in ("red", "nir"):
        low, high = made[f"{band}_lower"].values, made[f"{band}_upper"].values
        seen, gap = (filled[f"{band}_provenance"].values == code for code in (1, 2))
        assert seen.any()
        assert gap.any()
        np.testing.assert_array_equal(low[seen], filled[band].values[seen])
        np.testing.assert_array_equal(high[seen], filled[band].values[seen])
        width = 2 * half_width(level) * filled[f"{band}_std"].values
        np.testing.assert_allclose((high - low)[gap], width[gap], rtol=1e-3)
        assert np.isnan(low[~seen & ~gap]).all()
        assert np.isnan(high[~seen & ~gap]).all()


def test_lazy_labelled_and_in_the_bands_order(filled: xr.Dataset) -> None:
    filled = filled.chunk(y=20)
    filled["red"].attrs |= {"units": "1", "scale_factor": 1e-4, "nodata": 0}
    filled["red"].encoding["grid_mapping"] = "spatial_ref"
    made = filled.inpaint.interval(0.5)
    assert made.red_lower.chunks == filled.red.chunks
    assert made.red_lower.dims == filled.red.dims
    assert made.red_lower.dtype == np.float32
    assert made.red_lower.attrs == {
        "units": "1",
        "scale_factor": 1e-4,
        "long_name": "lower end of the central 50% interval of red",
    }
    assert made.red_upper.encoding["grid_mapping"] == "spatial_ref"
    xr.testing.assert_identical(made.coords.to_dataset(), filled.coords.to_dataset())


def test_bad_input(filled: xr.Dataset) -> None:
    with pytest.raises(MethodError, match="level = 90"):
        filled.inpaint.interval(90)
    with pytest.raises(SchemaError, match="found no <band>_std among"):
        filled.drop_vars(["red_std", "nir_std"]).inpaint.interval()
    with pytest.raises(SchemaError, match=r"found draws .*quantile\(\[0.05, 0.95\], 'sample'\)"):
        filled[["red", "nir"]].expand_dims(sample=3).inpaint.interval()
    with pytest.raises(SchemaError, match="found no <band>_std"):
        filled.red.inpaint.interval()
