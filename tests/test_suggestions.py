"""What is misspelt or makes no sense is answered with what there is."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import xarray as xr

import xinpaint
from tests.cube.make import make
from xinpaint.errors import MethodError, SchemaError
from xinpaint.io.weights import filler
from xinpaint.water.extent import Rule


@pytest.mark.parametrize(
    ("get", "told"),
    [
        (lambda ds: ds.inpaint.convnpp, "ds.inpaint has no 'convnpp'. Did you mean 'convnp'?"),
        (lambda ds: ds.inpaint.Telea, "Did you mean 'telea'?"),
        (lambda ds: ds.red.inpaint.biharmonc, "Did you mean 'biharmonic'?"),
        (
            lambda ds: ds.water.seasonalty,
            "ds.water has no 'seasonalty'. Did you mean 'seasonality'?",
        ),
        (lambda ds: ds.inpaint.plot.befor_after, "Did you mean 'before_after'?"),
        (lambda ds: ds.inpaint.xyzzy, "ds.inpaint has no 'xyzzy'. There are biharmonic, convnp"),
    ],
)
def test_a_misspelt_method_is_guessed(get: Callable[[xr.Dataset], Any], told: str) -> None:
    with pytest.raises(AttributeError) as caught:
        get(make(1))
    assert told in str(caught.value)
    assert getattr(caught.value, "name", None) is None  # else Python guesses once more


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (
            lambda ds: ds.inpaint.convnp(max_date=3),
            "ds.inpaint.convnp has no option 'max_date'. Did you mean 'max_dates'? It has model,",
        ),
        (
            lambda ds: ds.red.inpaint.telea(radious=3),
            "telea has no option 'radious'. Did you mean 'radius'? It has radius, observed, where",
        ),
        (lambda ds: ds.water.extent(treshold=0), "Did you mean 'threshold'?"),
        (lambda ds: ds.water.area(x=0), "ds.water.area has no option 'x'. It has none"),
        (lambda ds: ds.inpaint.plot.gaps(observd=True), "Did you mean 'observed'?"),
    ],
)
def test_a_misspelt_option_is_guessed(ask: Callable[[xr.Dataset], Any], told: str) -> None:
    with pytest.raises(TypeError) as caught:
        ask(make(1))
    assert told in str(caught.value)


def test_checked_methods_keep_their_signatures() -> None:
    method = make(1).inpaint.telea
    assert list(inspect.signature(method).parameters) == ["radius", "observed", "where"]
    assert (method.__name__, (method.__doc__ or "")[:4]) == ("telea", "Fill")
    with pytest.raises(TypeError, match="positional"):
        method(3)


def test_accessors_are_else_what_they_were() -> None:
    ds = make(1)
    assert not hasattr(ds.inpaint, "_repr_html_") and hasattr(ds.inpaint, "telea")
    assert "convnp" in dir(ds.inpaint) and "convnpp" not in dir(ds.inpaint)
    copy.deepcopy(ds).inpaint.gaps()
    pickle.loads(pickle.dumps(ds)).inpaint.gaps()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (
            partial(filler, "convnpp"),
            r"unknown method 'convnpp'\. Did you mean 'convnp'\? There are",
        ),
        (
            partial(filler, "convnp", maxdates=3),
            r"no option 'maxdates'\. Did you mean 'max_dates'\?",
        ),
        (
            partial(filler, "telea", radios=3),
            r"no option 'radios'\. Did you mean 'radius'\? It has",
        ),
        (partial(filler, "linear_time", width=3), "no option 'width'.* It has none"),
        (partial(filler, "unet", model="unet"), "unet has no option 'model'"),
        (partial(Rule, "mndvi"), r"unknown index 'mndvi'\. Did you mean 'mndwi'\?"),
    ],
)
def test_a_misspelt_name_is_guessed(ask: Callable[[], Any], told: str) -> None:
    with pytest.raises(MethodError, match=told):
        ask()


def test_a_job_guesses_before_it_writes(tmp_path: Any) -> None:
    make(1).to_zarr(tmp_path / "cube.zarr", consolidated=False)
    with pytest.raises(MethodError, match="Did you mean 'convnp'"):
        xinpaint.fill(tmp_path / "cube.zarr", tmp_path / "out.zarr", "convnpp")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("dates", [0, -1, 2.5, "3", True])
@pytest.mark.parametrize("context", ["auto", "time"])
def test_a_number_of_dates_that_makes_no_sense(dates: Any, context: Any) -> None:
    with pytest.raises(MethodError, match=r"convnp\(max_dates=") as caught:
        make(2).inpaint.convnp(max_dates=dates, context=context)
    assert dates != 0 or "use context='space'" in str(caught.value)


@pytest.mark.parametrize(
    "option",
    [{"scale": "1e-4"}, {"scale": 0}, {"scale": float("nan")}, {"offset": "x"}, {"scale": True}],
)
def test_a_scale_that_is_no_number(option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    for ask in (make(3).water.seasonality, make(3).water.index, make(3).water.extent):
        with pytest.raises(MethodError, match=rf"{name}={value!r}; wanted a number"):
            ask(**option)


@pytest.mark.parametrize("threshold", ["otzu", None, [0.1], float("inf")])
def test_a_threshold_that_is_no_number(threshold: Any) -> None:
    with pytest.raises(MethodError, match="wanted a number or 'otsu'"):
        make(3).water.extent(threshold=threshold)


@pytest.mark.parametrize("window", [0, 13, 2.5, "3", True])
def test_a_window_that_is_no_number_of_months(window: Any) -> None:
    with pytest.raises(MethodError, match=r"window=.* wanted whole numbers"):
        make(3).water.seasonality(window=window, method="count")


@pytest.mark.parametrize(
    "ask",
    [
        lambda ds: ds.water.index("mndwi"),
        lambda ds: ds.water.seasonality(scale=1e-4),
    ],
)
def test_bands_that_are_missing_are_named_with_the_call_that_renames(ask: Any) -> None:
    ds = make(3)[["red", "nir"]].rename(red="green", nir="B5")
    with pytest.raises(SchemaError) as caught:
        ask(ds)
    said = str(caught.value)
    assert "found ['green', 'B5'], missing" in said
    assert "ds.rename({'NAME HERE': '" in said and "'swir1'})" in said
