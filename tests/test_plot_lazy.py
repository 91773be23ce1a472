"""A picture of a lazy cube computes once, what it shows alone, and leaves the cube lazy."""

import dask
import pytest
from dask.callbacks import Callback

from tests.cube.ponds import YEAR, cube, states
from xinpaint import plot_water
from xinpaint.cube import water
from xinpaint.cube.region import fill_block
from xinpaint.io.tutorial import open_cube


@pytest.fixture(scope="module")
def gappy():
    return open_cube(dates=3, size=48)[["red", "green", "blue", "nir"]].chunk(time=1)


@pytest.fixture(scope="module")
def truth():
    return open_cube(dates=3, size=48, truth=True)


@pytest.fixture(scope="module")
def filled(gappy):
    return gappy.inpaint.regression()


@pytest.fixture
def computes():
    """One entry for each time that dask computes."""
    made = []
    with Callback(start=lambda graph: made.append(1)):
        yield made


DRAW = {
    "before_after": lambda gappy, filled, truth: gappy.inpaint.plot.before_after(
        {"one": filled, "two": filled}, truth, time=1
    ),
    "uncertainty": lambda gappy, filled, truth: filled.inpaint.plot.uncertainty(time=1),
    "errors": lambda gappy, filled, truth: filled.inpaint.plot.errors(truth.chunk(), time=1),
    "reliability": lambda gappy, filled, truth: filled.inpaint.plot.reliability(truth.chunk()),
    "coverage": lambda gappy, filled, truth: filled.inpaint.plot.coverage_by_distance(truth),
    "gaps": lambda gappy, filled, truth: gappy.inpaint.plot.gaps(),
}


@pytest.mark.parametrize("name", DRAW)
def test_a_picture_computes_once(name, gappy, filled, truth, computes):
    DRAW[name](gappy, filled, truth)
    assert len(computes) == 1
    assert all(ds[band].chunks for ds in (gappy, filled) for band in ds.data_vars)


def test_swipe_computes_once(gappy, filled, computes):
    pytest.importorskip("hvplot")
    gappy.inpaint.plot.swipe(filled, time=1)
    assert len(computes) == 1


def test_maps_of_water_compute_once(computes):
    seasons = water.seasonality(cube(states(12), YEAR).chunk(time=1), window=5)
    assert seasons.seasonality.chunks
    plot_water.seasonality(seasons)
    assert len(computes) == 1


def test_all_dates_are_filled_once(gappy, truth, monkeypatch):
    made = []
    monkeypatch.setattr(
        "xinpaint.cube.lazily.fill_block", lambda *args: made.append(1) or fill_block(*args)
    )
    filled = gappy.inpaint.regression()
    filled.compute(scheduler="sync")
    once = len(made)
    with dask.config.set(scheduler="sync"):
        filled.inpaint.plot.reliability(truth)
    assert len(made) == 2 * once
