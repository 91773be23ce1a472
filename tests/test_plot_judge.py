"""Pictures against a truth: what is drawn is what was measured."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from xinpaint import plot_judge
from xinpaint.core.intervals import DEGREES, SCALE
from xinpaint.errors import SchemaError
from xinpaint.plot import MISSING

ERROR, STD = "filled − truth", "standard deviation"
STEP, LEFT, TOP = 30.0, 600_000.0, 5_000_000.0


@pytest.fixture(scope="module")
def pair():
    """A fill with errors of the size it says near context, twice that far away."""
    rng = np.random.default_rng(0)
    y, x = TOP - (np.arange(60) + 0.5) * STEP, LEFT + (np.arange(80) + 0.5) * STEP
    coords = {"time": [np.datetime64("2005-03-01", "ns")], "y": y, "x": x}
    dims = ("time", "y", "x")
    true = rng.normal(500, 100, (1, 60, 80))
    code = np.ones((1, 60, 80), np.uint8)
    code[:, :, 20:60] = 2  # a band 40 pixels wide: up to 20 from context
    code[:, :3] = 0
    far = np.zeros(code.shape, bool)
    far[:, :, 24:56] = True
    std = np.where(code == 2, rng.uniform(5, 15, code.shape), 0)
    error = SCALE * rng.standard_t(DEGREES, size=code.shape)
    wrong = std * error * np.where(far, 2, 1)
    made = xr.Dataset(
        {
            "red": (dims, true + wrong, {"units": "1e-4"}),
            "red_std": (dims, np.where(code == 0, np.nan, std)),
            "red_provenance": (dims, code),
        },
        coords,
    )
    return made, xr.Dataset({"red": (dims, true)}, coords)


def maps(figure):
    return {ax.get_title(): ax for ax in figure.axes if ax.images}


def test_errors_draws_the_difference_where_filled(pair):
    filled, truth = pair
    axes = maps(plot_judge.errors(filled, truth))
    assert list(axes) == ["truth", "filled", ERROR, STD]
    drawn = np.ma.filled(axes[ERROR].images[0].get_array(), np.nan)
    gap = filled.red_provenance.values[0] == 2
    np.testing.assert_allclose(drawn[gap], (filled.red - truth.red).values[0][gap])
    assert np.isnan(drawn[~gap]).all()
    assert np.ma.getmaskarray(axes["filled"].images[0].get_array())[:3].all()  # outside: unknown
    assert tuple(axes["filled"].images[0].cmap.get_bad()[:3]) == pytest.approx(MISSING)


def test_errors_and_std_share_a_scale_in_map_coordinates(pair):
    axes = maps(plot_judge.errors(*pair))
    low, high = axes[ERROR].images[0].get_clim()
    assert low == -high
    assert axes[STD].images[0].get_clim() == (0, high)
    for ax in axes.values():
        assert ax.images[0].get_extent() == [LEFT, LEFT + 80 * STEP, TOP - 60 * STEP, TOP]
        assert ax.get_aspect() == 1
    assert axes[STD].get_xlabel() == "x"


def test_errors_of_a_south_up_cube_are_the_same(pair):
    turned = [ds.isel(y=slice(None, None, -1)) for ds in pair]
    one, two = (maps(plot_judge.errors(*p))[ERROR].images[0].get_array() for p in (pair, turned))
    np.testing.assert_array_equal(one, two)


def test_errors_without_std_has_three_maps(pair):
    figure = plot_judge.errors(pair[0].drop_vars("red_std"), pair[1])
    assert list(maps(figure)) == ["truth", "filled", ERROR]


def test_reliability_counts_filled_pixels_alone(pair):
    filled, truth = pair
    near = filled.where(
        ~((filled.x > LEFT + 24 * STEP) & (filled.x < LEFT + 56 * STEP)), drop=False
    )
    near["red_provenance"] = near.red_provenance.fillna(0).astype("uint8")
    ax = plot_judge.reliability(near, truth, bands=["red"]).axes[0]
    assert f"{57 * 8:,} pixels" in ax.get_title()
    x, y = ax.lines[1].get_data()
    np.testing.assert_allclose(x, y, atol=0.06)


def test_coverage_falls_with_distance_where_the_fill_is_too_sure(pair):
    figure = plot_judge.coverage_by_distance(*pair, bands=["red"])
    over, under = figure.axes
    found = dict(
        zip([t.get_text() for t in under.get_xticklabels()], over.lines[1].get_ydata(), strict=True)
    )
    assert list(found) == ["1", "2", "3–4", "5–8", "9–16", "17–32"]
    assert found["1"] == pytest.approx(90, abs=6)
    half = 2 * stats.t.cdf(stats.t.ppf(0.95, DEGREES) / 2, DEGREES) - 1
    assert found["9–16"] == pytest.approx(100 * half, abs=4)
    shares = [bar.get_height() for bar in under.patches]
    assert shares == pytest.approx([100 * n / 20 for n in (1, 1, 2, 4, 8, 4)], abs=0.1)


def test_errors_say_what_to_change(pair):
    filled, truth = pair
    with pytest.raises(SchemaError, match="one grid"):
        plot_judge.errors(filled, truth.isel(x=slice(5)))
    with pytest.raises(SchemaError, match="nothing of 'red' was filled"):
        plot_judge.errors(filled.assign(red_provenance=filled.red_provenance * 0 + 1), truth)
    with pytest.raises(SchemaError, match="no filled pixel"):
        plot_judge.reliability(filled, truth * np.nan, bands=["red"])
    with pytest.raises(SchemaError, match="between 0 and 1"):
        plot_judge.coverage_by_distance(filled, truth, bands=["red"], level=90)


def test_dims_in_any_order(pair):
    filled, truth = pair
    figure = plot_judge.errors(filled.transpose("y", "x", "time"), truth.transpose("x", ...))
    wanted = maps(plot_judge.errors(filled, truth))
    for title, ax in maps(figure).items():
        drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
        np.testing.assert_array_equal(
            drawn, np.ma.filled(wanted[title].images[0].get_array(), np.nan)
        )
    plot_judge.reliability(filled.transpose("y", "x", "time"), truth, bands=["red"])


def test_only_what_lies_on_one_grid_is_judged(pair):
    filled, truth = pair
    more = xr.concat(
        [filled, filled.assign_coords(time=filled.time + np.timedelta64(9, "D"))], "time"
    )
    for made, true, dim in (
        (filled, truth.assign_coords(x=truth.x + 3000), "x"),
        (filled, truth.assign_coords(time=truth.time + np.timedelta64(99, "D")), "time"),
        (more, truth, "time"),
    ):
        for draw in (plot_judge.errors, plot_judge.reliability, plot_judge.coverage_by_distance):
            told = {"band": "red"} if draw is plot_judge.errors else {"bands": ["red"]}
            with pytest.raises(SchemaError, match=f"'{dim}' of the truth .*give both on one grid"):
                draw(made, true, **told)


@pytest.mark.parametrize("way", ["missing_value", "encoding", "fmask", "observed"])
def test_what_the_truth_does_not_know_is_no_truth(pair, way):
    filled, truth = pair
    unknown = (truth.y < TOP - 30 * STEP) & xr.ones_like(truth.red, bool)
    real = truth.assign(red=truth.red.where(~unknown, -9999).astype("int16"))
    if way == "missing_value":
        real.red.attrs[way] = -9999
    elif way == "encoding":
        real.red.encoding["_FillValue"] = -9999
    elif way == "fmask":
        real["fmask"] = unknown.astype("uint8") * 255
    else:
        real["observed"] = ~unknown
    figure = plot_judge.errors(filled, real)
    assert figure.get_suptitle().endswith(f"judged: {27 * 40:,} pixels")
    assert np.ma.getmaskarray(maps(figure)["truth"].images[0].get_array())[30:].all()
    ax = plot_judge.reliability(filled, real, bands=["red"]).axes[0]
    assert f"{27 * 40:,} pixels" in ax.get_title()


def test_bars_of_a_tall_scene_leave_room_for_its_words(pair):
    figure = plot_judge.errors(*(ds.isel(x=slice(15, 30)) for ds in pair))
    figure.draw_without_rendering()
    assert all(ax.yaxis.label.get_window_extent().x0 >= 0 for ax in figure.axes)
