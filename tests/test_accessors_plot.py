"""``.plot`` of the accessors: the right function, the right bands, shown in a notebook."""

import builtins
import inspect

import numpy as np
import pytest
import xarray as xr

import xinpaint
from xinpaint.accessors_plot import Plot, WaterPlot
from xinpaint.errors import MethodError, SchemaError
from xinpaint.plot_figure import Picture

PUBLIC = [name for name in dir(Plot) if not name.startswith("_")]


@pytest.fixture(scope="module")
def cubes():
    made = {
        name: xinpaint.tutorial.open_cube(dates=2, size=48, truth=name == "truth")
        for name in ("gappy", "truth")
    }
    filled = made["truth"].copy()
    for band in made["gappy"].data_vars:
        gap = made["gappy"][band] == 0
        filled[f"{band}_std"] = gap * np.float32(90)
        filled[f"{band}_provenance"] = xr.where(gap, 2, 1).astype("uint8")
        filled[band] = filled[band] + (gap * 30).astype("uint16")
    return made | {"filled": filled}


def drawn(gappy, filled, truth):
    return {
        "gaps": gappy.inpaint.plot.gaps(),
        "before_after": gappy.inpaint.plot.before_after(filled, truth, time=1),
        "uncertainty": filled.inpaint.plot.uncertainty(),
        "errors": filled.inpaint.plot.errors(truth),
        "reliability": filled.inpaint.plot.reliability(truth),
        "coverage_by_distance": filled.inpaint.plot.coverage_by_distance(truth),
    }


def test_every_method_draws_a_figure_that_a_notebook_shows(cubes):
    figures = drawn(cubes["gappy"], cubes["filled"], cubes["truth"])
    extent = cubes["truth"].water.extent()
    figures["area"] = extent.water.plot.area()
    seasons = cubes["truth"].water.seasonality(method="count", window=6)
    figures["seasonality"] = seasons.inpaint.plot.seasonality()
    assert sorted([*figures, "swipe"]) == PUBLIC
    for figure in figures.values():
        assert isinstance(figure, Picture)
        assert figure._repr_png_()[1:4] == b"PNG"


def test_errors_takes_a_band(cubes):
    figure = cubes["filled"].inpaint.plot.errors(cubes["truth"], band="nir", time=1)
    gap = (cubes["gappy"].nir.values == 0)[1]
    error = (
        next(ax for ax in figure.axes if ax.get_title() == "filled − truth").images[0].get_array()
    )
    assert set(np.ma.compressed(error)) == {30.0}
    assert error.count() == gap.sum()
    assert figure.get_suptitle().startswith("nir on 20")


def test_a_cube_without_red_shows_its_first_band(cubes):
    other = (
        cubes["gappy"][["nir"]]
        .rename(nir="B4")
        .assign(QA_PIXEL=cubes["gappy"].red)[["QA_PIXEL", "B4"]]
    )
    figure = other.inpaint.plot.before_after(other)
    assert figure.get_suptitle().startswith("B4 on")
    with pytest.raises(SchemaError, match="found no band"):
        other[["QA_PIXEL"]].inpaint.plot.before_after(other)


def test_an_array_of_bands_is_drawn_like_a_dataset(cubes):
    array = cubes["gappy"].to_dataarray("band", name="scene").assign_attrs(nodata=0)
    one, two = (c.inpaint.plot.before_after(cubes["filled"]) for c in (array, cubes["gappy"]))
    np.testing.assert_array_equal(
        one.axes[0].images[0].get_array(), two.axes[0].images[0].get_array()
    )


def test_area_draws_what_area_measures(cubes):
    extent = cubes["truth"].water.extent()
    ax = extent.water.plot.area().axes[0]
    (line,) = ax.lines  # nothing is missing, and land is left out
    np.testing.assert_allclose(line.get_ydata(), extent.water.area().area.sel({"class": "water"}))
    assert len(extent.water.plot.area(rest=True).axes[0].lines) == 2


def test_swipe_lays_before_over_after_in_map_coordinates(cubes):
    pytest.importorskip("hvplot")
    made = cubes["gappy"].inpaint.plot.swipe(cubes["filled"], time=1)
    before, after = (pane.object for pane in made.objects)
    gap = (cubes["gappy"].red.values == 0)[1]
    red = before.dimension_values("R", flat=False)
    assert red.shape == gap.shape
    assert not np.array_equal(red, after.dimension_values("R", flat=False))
    x = cubes["gappy"].x.values
    assert before.bounds.lbrt()[0] == x[0] - 15
    assert before.bounds.lbrt()[2] == x[-1] + 15


def test_swipe_without_hvplot_names_the_extra(cubes, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] in {"hvplot", "holoviews", "panel"}:
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MethodError, match=r"pip install 'xinpaint\[swipe\]'"):
        cubes["gappy"].inpaint.plot.swipe(cubes["filled"])


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_are_real(name):
    method = getattr(Plot, name)
    kinds = {p.kind for p in inspect.signature(method).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert "Examples" in method.__doc__


def test_water_has_the_pictures_of_water(cubes):
    assert isinstance(cubes["truth"].water.plot, WaterPlot)


def test_an_array_beside_what_became_of_it(cubes):
    array = cubes["gappy"].to_dataarray("band").transpose("time", "band", "y", "x")
    array.attrs["nodata"] = 0
    made = array.inpaint.telea()
    figure = array.inpaint.plot.before_after(made, cubes["truth"].to_dataarray("band"))
    wanted = cubes["gappy"].inpaint.plot.before_after(cubes["gappy"].inpaint.telea())
    for ax, other in zip(figure.axes[:2], wanted.axes[:2], strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), other.images[0].get_array())
    with pytest.raises(SchemaError, match=r"no band 'red' to draw; there are \['nir', .*bands="):
        cubes["gappy"].inpaint.plot.before_after(made.sel(band=["nir"]))
