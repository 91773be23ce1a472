from datetime import date
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from tests.cube.ponds import YEAR, cube, states
from xinpaint import plot_water
from xinpaint.cube import water
from xinpaint.errors import SchemaError


@pytest.fixture(scope="module")
def seasons():
    return water.seasonality(cube(states(12), YEAR), window=5)


def test_a_panel_for_each_window(seasons, tmp_path):
    figure = plot_water.seasonality(seasons)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "2003-01 to 2003-05"
    assert len(titles) == seasons.sizes["time"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["not water", "seasonal", "permanent", "no data"]
    figure.savefig(tmp_path / "x.png")
    assert len(plot_water.seasonality(seasons, most=2).axes) == 2


def test_colours_follow_the_codes_north_up(seasons):
    one = seasons.isel(time=0)
    picture = np.asarray(plot_water.seasonality(one).axes[0].images[0].get_array())
    for code, (_, colour) in plot_water.COLOURS.items():
        where = one.seasonality.values == code
        assert (picture[where] == colour).all()
    turned = plot_water.seasonality(one.isel(y=slice(None, None, -1)))
    np.testing.assert_array_equal(turned.axes[0].images[0].get_array(), picture)


def test_errors(seasons):
    with pytest.raises(SchemaError, match="no 'seasonality'"):
        plot_water.seasonality(seasons[["months_seen"]])
    with pytest.raises(SchemaError, match="must have dims"):
        plot_water.seasonality(seasons.isel(time=0, y=0))


def test_colours_and_names_of_the_variable_itself(seasons):
    one = seasons.isel(time=0).copy()
    one["seasonality"] = one.seasonality.assign_attrs(flag_colors="#ffffff #00ff00 #ff0000 #888888")
    figure = plot_water.seasonality(one)
    picture = np.asarray(figure.axes[0].images[0].get_array())
    where = one.seasonality.values == 2
    assert where.any()
    assert (picture[where] == (1, 0, 0)).all()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["not water", "seasonal", "permanent", "no data"]


def test_maps_lie_in_their_coordinates(seasons):
    image = plot_water.seasonality(seasons).axes[0].images[0]
    left, right, bottom, top = image.get_extent()
    x, y = seasons.x.values, seasons.y.values
    assert (left + right) / 2 == pytest.approx((x[0] + x[-1]) / 2)
    assert right - left == pytest.approx(abs(x[1] - x[0]) * len(x))
    assert top - bottom == pytest.approx(abs(y[1] - y[0]) * len(y))


def test_area_has_a_line_for_each_class_that_is_water(seasons):
    table = seasons.water.area().area
    ax = plot_water.area(seasons).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert "not water" not in drawn
    np.testing.assert_allclose(drawn["permanent"], table.sel({"class": "permanent"}))
    np.testing.assert_allclose(drawn["seasonal"], table.sel({"class": "seasonal"}))
    marks = [line.get_marker() for line in ax.lines]
    assert len(set(marks)) == len(marks)  # not told apart by colour alone


def test_dims_in_any_order_and_nan_as_no_data(seasons):
    figure = plot_water.seasonality(seasons)
    for other in (seasons.transpose("y", "x", "time"), seasons.where(seasons.seasonality != 255)):
        for ax, wanted in zip(plot_water.seasonality(other).axes, figure.axes, strict=True):
            found, drawn = (np.asarray(a.images[0].get_array()) for a in (ax, wanted))
            np.testing.assert_array_equal(found, drawn)


def areas(days):
    water = np.arange(len(days), dtype=float)[None]
    return xr.Dataset(
        {"area": (("class", "time"), water)}, {"class": ["water"], "time": np.array(days)}
    )


@pytest.mark.parametrize("span", [30, 60, 400, 4000])
def test_dates_below_areas_do_not_overlap(span):
    days = np.datetime64("2004-03-19", "ns") + np.linspace(0, span, 8).astype("timedelta64[D]")
    figure = plot_water.area(areas(days))
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].get_xticklabels() if text.get_text()]
    boxes = [text.get_window_extent() for text in labels]
    assert len(boxes) >= 3
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def test_one_time_is_named_and_not_a_span_of_years():
    ax = plot_water.area(areas([np.datetime64("2004-03-01", "ns")])).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2004-03-01"]
    assert np.ptp(ax.get_xlim()) < 5


def test_areas_at_times_of_other_kinds():
    assert plot_water.area(areas([3, 19])).axes[0].lines[0].get_xdata().tolist() == [3, 19]
    ax = plot_water.area(areas([date(2004, 2, 28), date(2004, 3, 1)])).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2004-02-28", "2004-03-01"]
    ax = plot_water.area(areas([3]).isel(time=0, drop=True)).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["all"]
