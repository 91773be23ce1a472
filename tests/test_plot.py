from datetime import date

import numpy as np
import pytest
import xarray as xr

from xinpaint import plot
from xinpaint.core.intervals import DEGREES, SCALE
from xinpaint.errors import SchemaError
from xinpaint.io.tutorial import open_cube
from xinpaint.plot import RGB


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


def pictures(figure):
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]


def test_dims_in_any_order(gappy, filled):
    turned, made = (ds.transpose("y", "x", "time") for ds in (gappy, filled))
    for draw in (
        lambda a, b: plot.before_after(a, b, b, time=1),
        lambda a, b: plot.uncertainty(b, time=1),
        lambda a, b: plot.before_after(a.isel(time=0).transpose("x", "y"), b.isel(time=0)),
    ):
        pairs = zip(pictures(draw(turned, made)), pictures(draw(gappy, filled)), strict=True)
        for found, wanted in pairs:
            np.testing.assert_array_equal(found, wanted)


def test_only_what_lies_on_one_grid_is_compared(gappy, filled):
    for other, dim in (
        (filled.assign_coords(x=filled.x + 3000), "x"),
        (filled.isel(time=[0]), "time"),
        (filled.assign_coords(time=filled.time + np.timedelta64(9, "D")), "time"),
    ):
        with pytest.raises(SchemaError, match=rf"'{dim}' of the truth .*truth.sel\({dim}="):
            plot.before_after(gappy, filled, other)
        with pytest.raises(SchemaError, match=f"'{dim}' of the filled "):
            plot.before_after(gappy, other)
    flipped = filled.isel(y=slice(None, None, -1))
    for found, wanted in zip(
        pictures(plot.before_after(gappy, flipped)),
        pictures(plot.before_after(gappy, filled)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("time", [9, -3, "2008-01-01", 0.5])
def test_a_date_that_is_not_there(gappy, filled, time):
    told = rf"time={time!r}, but 'red' has 2 dates; wanted the index of one of them, 0 to 1"
    for draw in (plot.rgb, lambda ds, **o: plot.before_after(ds, filled, **o)):
        with pytest.raises(SchemaError, match=told):
            draw(gappy, time=time)


def test_a_draw_at_a_time(gappy):
    with pytest.raises(SchemaError, match=r"one at a time: .isel\(sample=0\)"):
        plot.rgb(gappy.expand_dims(sample=2))


def test_the_truth_of_one_date_may_be_the_next_day(gappy, filled):
    one, other = gappy.isel(time=[0]), gappy.isel(time=[1])
    figure = plot.before_after(one, filled.isel(time=[0]), truth=other)
    assert "truth" in [ax.get_title() for ax in figure.axes if ax.get_title()][2]
    with pytest.raises(SchemaError, match="'time'"):
        plot.before_after(gappy, filled, truth=gappy.assign_coords(time=gappy.time[::-1].values))


def told(ds, way):
    """The cube with one of the ways in which it may say what is missing."""
    gap = ds.red == 0
    out = ds.drop_attrs().drop_encoding()
    for band in out.data_vars:
        out[band] = out[band].where(~gap, 7).astype("int16")
        if way in ("missing_value", "fill_value"):
            out[band].attrs[way] = 7
        elif way == "text":
            out[band].attrs["nodata"] = "7"
        elif way == "encoding":
            out[band].encoding["_FillValue"] = 7
        elif way == "both":
            out[band].attrs |= {"nodata": -1, "_FillValue": 7}
    if way == "observed":
        return out.assign(observed=~gap)
    if way == "fmask":
        return out.assign(fmask=xr.where(gap, 4, 0).astype("uint8"))
    return out


WAYS = ["missing_value", "fill_value", "text", "encoding", "both", "observed", "fmask"]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_missing_is_what_gaps_says(gappy, filled, way):
    cube = told(gappy[["red", "green", "blue"]], way)
    share = float(cube.inpaint.gaps().red[1].mean())
    assert share > 0.05
    pink = (plot.rgb(cube, time=1) == plot.MISSING).all(axis=-1)
    np.testing.assert_array_equal(pink, gappy.red[1] == 0)
    figure = cube.inpaint.plot.before_after(filled, cube, time=1)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:3] == [f"before, {share:.1%} missing", "filled", f"truth, {share:.1%} missing"]
    np.testing.assert_array_equal(pictures(figure)[0], plot.rgb(cube, time=1))


def test_a_filled_cube_is_not_judged_by_the_clouds_it_had(gappy):
    cube = told(gappy[["red", "green", "blue"]], "fmask")
    made = cube.inpaint.telea()
    left = float((~made.red_provenance[1].isin([1, 2])).mean())
    bare = made.drop_vars([f"{band}_provenance" for band in RGB])
    figure = cube.inpaint.plot.before_after({"filled": made, "bare": bare}, time=1)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[1:] == [f"filled, {left:.1%} missing", "bare"]


def test_before_is_what_the_method_was_told(gappy, filled):
    seen = xr.ones_like(gappy.red, bool)
    seen[1, :10] = False
    figure = gappy.inpaint.plot.before_after(filled, time=1, observed=seen)
    assert (pictures(figure)[0][:10] == plot.MISSING).all()


def test_missing_is_what_any_band_lacks(gappy, filled):
    cube = gappy[["red", "green", "blue"]].copy(deep=True)
    cube.blue[1, :24] = 0
    figure = plot.before_after(cube, filled, time=1)
    pink = (pictures(figure)[0] == plot.MISSING).all(axis=-1)
    assert figure.axes[0].get_title() == f"before, {pink.mean():.1%} missing"
    assert pink.mean() > (cube.red[1] == 0).mean()


@pytest.mark.parametrize("bands", [("red", "nir"), ("red", "nir", "green", "blue"), ()])
def test_a_picture_has_three_bands_or_one(gappy, filled, bands):
    for draw in (
        lambda: plot.rgb(gappy, bands=bands),
        lambda: gappy.inpaint.plot.before_after(filled, bands=bands),
    ):
        with pytest.raises(SchemaError, match=rf"{len(bands)} names; wanted three.*or one"):
            draw()


@pytest.mark.parametrize(
    ("dates", "labels", "title"),
    [
        ([3, 19], ["3", "19"], "red at time 19;"),
        ([3.5, 19.25], ["3.5", "19.25"], "red at time 19.25;"),
        ([date(2004, 2, 28), date(2004, 3, 1)], ["2004-02-28", "2004-03-01"], "red on 2004-03-01;"),
    ],
)
def test_dates_of_any_kind_have_names(gappy, dates, labels, title):
    cube = gappy[["red"]].assign_coords(time=np.array(dates))
    (ax,) = plot.gaps(cube).axes
    assert [text.get_text() for text in ax.get_xticklabels()] == labels
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(
        100 * (cube.red == 0).mean(("y", "x")).values
    )
    figure = plot.before_after(cube, cube, bands=["red"], time=1)
    assert figure.get_suptitle().startswith(title)


def test_one_date_that_was_selected_keeps_its_name(gappy):
    one = gappy.isel(time=1)
    day = str(gappy.time.values[1])[:10]
    assert f"on {day};" in plot.before_after(one, one).get_suptitle()


def test_a_flat_scene_has_room_for_its_words(gappy, filled):
    flat, made = (ds.isel(y=slice(9)).copy() for ds in (gappy, filled))
    for band in RGB:
        made[band] = made[band].assign_attrs(units="reflectance × 10000")
    figure = plot.before_after(flat, made, time=1)
    figure.draw_without_rendering()
    words = [ax.yaxis.label for ax in figure.axes] + [ax.title for ax in figure.axes]
    for word in words:
        box = word.get_window_extent()
        assert box.y0 >= 0
        assert box.y1 <= figure.bbox.height
    heights = [ax.title.get_window_extent().y0 for ax in figure.axes if ax.get_title()]
    assert np.ptp(heights) < 1


def test_uncertainty_names_its_date_and_bands(filled):
    day = str(filled.time.values[1])[:10]
    assert plot.uncertainty(filled, time=1).get_suptitle() == f"red, green, blue on {day}"
    assert plot.uncertainty(filled, bands=["red"]).get_suptitle().startswith("red on ")


def test_a_date_of_which_nothing_was_seen_is_shown_as_it_was_filled(gappy, filled):
    seen = xr.ones_like(gappy.red, bool)
    seen[1] = False
    figure = plot.before_after(gappy, filled, time=1, observed=seen)
    assert (pictures(figure)[0] == plot.MISSING).all()
    np.testing.assert_array_equal(pictures(figure)[1], plot.rgb(filled, time=1))
