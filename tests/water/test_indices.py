import numpy as np
import pytest

from xinpaint.water import indices
from xinpaint.water.indices import AUTO, INDICES

WATER = {"blue": 0.06, "green": 0.05, "red": 0.04, "nir": 0.02, "swir1": 0.01, "swir2": 0.005}
FIELD = {"blue": 0.04, "green": 0.07, "red": 0.06, "nir": 0.35, "swir1": 0.20, "swir2": 0.10}


def take(spectrum, index):
    return [np.full((2, 3), spectrum[band], np.float32) for band in index.bands]


@pytest.mark.parametrize("name", INDICES)
def test_every_index_parts_water_from_land(name):
    index = INDICES[name]
    wet, dry = index.function(*take(WATER, index)), index.function(*take(FIELD, index))
    assert wet.dtype == dry.dtype == np.float32
    assert (wet > 0).all()
    assert (dry < 0).all()
    for value in (wet, dry):
        assert (value >= index.span[0]).all() and (value <= index.span[1]).all()


@pytest.mark.parametrize("name", INDICES)
def test_a_missing_band_makes_it_unknown(name):
    index = INDICES[name]
    for missing in range(len(index.bands)):
        bands = take(WATER, index)
        bands[missing][1, 2] = np.nan
        made = index.function(*bands)
        assert np.isnan(made[1, 2])
        assert np.isfinite(made).sum() == 5


def test_by_hand():
    one = {k: np.float32([v]) for k, v in WATER.items()}
    assert indices.ndwi(one["green"], one["nir"]) == pytest.approx(3 / 7)
    assert indices.mndwi(one["green"], one["swir1"]) == pytest.approx(4 / 6)
    assert indices.red_swir(one["red"], one["swir1"]) == pytest.approx(3 / 5)
    bands = (one[b] for b in INDICES["awei_nsh"].bands)
    assert indices.awei_nsh(*bands) == pytest.approx(4 * 0.04 - (0.005 + 0.01375))
    bands = (one[b] for b in INDICES["awei_sh"].bands)
    assert indices.awei_sh(*bands) == pytest.approx(0.06 + 0.125 - 0.045 - 0.00125)


def test_ratio_of_dark_water_stays_in_its_range():
    green, nir = np.float32([0.01, -0.01, 0.0, -0.02]), np.float32([-0.02, 0.01, 0.0, -0.01])
    made = indices.ndwi(green, nir)
    np.testing.assert_array_equal(made, np.float32([1, -1, np.nan, np.nan]))


def test_auto_is_made_of_indices():
    assert set(AUTO) < set(INDICES)
