import numpy as np
import pytest
import xarray as xr

from xinpaint import plot
from xinpaint.core.intervals import DEGREES, SCALE
from xinpaint.errors import SchemaError
from xinpaint.io.tutorial import open_cube


@pytest.fixture(scope="module")
def gappy():
    return open_cube(dates=2, size=48)


@pytest.fixture(scope="module")
def filled(gappy):
    made = open_cube(dates=2, size=48, truth=True)
    for band in ("red", "green", "blue"):
        gap = gappy[band] == 0
        made[f"{band}_std"] = gap * np.float32(120.0)
        made[f"{band}_provenance"] = xr.where(gap, 2, 1).astype("uint8")
    return made


def test_rgb_shows_missing_in_its_own_colour(gappy):
    picture = plot.rgb(gappy, time=1)
    gap = gappy.red.values[1] == 0
    assert picture.shape == (48, 48, 3)
    assert (picture[gap] == plot.MISSING).all()
    assert not (picture[~gap] == plot.MISSING).all(axis=-1).any()


def test_rgb_is_north_up(gappy):
    np.testing.assert_array_equal(plot.rgb(gappy.isel(y=slice(None, None, -1))), plot.rgb(gappy))


def test_before_after_has_a_panel_for_each(gappy, filled, tmp_path):
    figure = plot.before_after(gappy, {"a": filled, "b": filled}, filled, time=1)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0].startswith("before")
    assert titles[1:4] == ["a", "b", "truth"]
    assert titles[4].startswith("uncertainty")
    figure.savefig(tmp_path / "x.png")


def test_two_dimensional_without_std(gappy):
    figure = plot.before_after(gappy.isel(time=0), gappy.isel(time=0), bands=("nir",))
    assert len(figure.axes) == 2


def test_aspect_of_degrees():
    lat, lon = np.linspace(61, 60, 11), np.linspace(10, 11, 11)
    ds = xr.Dataset({"red": (("lat", "lon"), np.random.default_rng(0).random((11, 11)))})
    figure = plot.before_after(ds.assign_coords(lat=lat, lon=lon), ds, bands=("red",))
    assert figure.axes[0].get_aspect() == pytest.approx(2, abs=0.1)


def test_gaps_says_the_share(gappy):
    figure = plot.gaps(gappy)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx(100 * (gappy.red == 0).mean(("y", "x")).values)


def test_uncertainty(filled):
    assert len(plot.uncertainty(filled).axes) == 2


def test_calibration_of_errors_as_they_are_meant():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20_000), rng.uniform(0.5, 2, 20_000)
    error = SCALE * rng.standard_t(DEGREES, size=20_000)
    figure = plot.calibration(mean + std * error, mean, std)
    x, y = figure.axes[0].lines[1].get_data()
    np.testing.assert_allclose(x, y, atol=0.02)


def test_errors(gappy):
    with pytest.raises(SchemaError, match="no band 'pink'"):
        plot.rgb(gappy, bands=("pink",))
    with pytest.raises(SchemaError, match="std above 0"):
        plot.calibration([1.0], [1.0], [0.0])
