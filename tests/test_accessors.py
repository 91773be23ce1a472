"""The accessor: real signatures, and a cheap import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.nets.small import NETS_IN_USE, write
from xinpaint.accessors import Inpaint
from xinpaint.errors import MethodError, WeightsError
from xinpaint.io import weights
from xinpaint.io.weights import filler

TWO_DATES = ("histogram", "nspi")
CLASSICAL = (
    "navier_stokes",
    "telea",
    "fillnodata",
    "biharmonic",
    "linear_time",
    "harmonic",
    *TWO_DATES,
)
FILLING = (*weights.NEURAL, *CLASSICAL)


def test_import_is_light() -> None:
    code = (
        "import sys, xarray, xinpaint; "
        "heavy = {'torch', 'rasterio', 'cv2', 'ee', 'skimage', 'matplotlib', 'dask.array'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("method", FILLING)
def test_signatures_are_real(method: str) -> None:
    parameters = inspect.signature(getattr(Inpaint, method)).parameters
    kinds = {p.kind for name, p in parameters.items() if name != "self"}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
    assert {"observed", "where"} <= set(parameters)
    assert "Examples" in (getattr(Inpaint, method).__doc__ or "")


@pytest.mark.parametrize("method", CLASSICAL)
@pytest.mark.parametrize("lazy", [False, True])
def test_every_classical_method_fills(method: str, lazy: bool) -> None:
    ds = make(3, 80, 90)
    dates = 3 if method in TWO_DATES else 1  # shorter chunks than the halo are merged and warned of
    made = getattr((ds.chunk(time=dates) if lazy else ds).inpaint, method)()
    assert (made.red.chunks is not None) == lazy
    assert made.attrs["xinpaint_method"] == method
    assert made.red.dtype == "uint16"
    seen = made.red_provenance.values == 1
    np.testing.assert_array_equal(made.red.values[seen], ds.red.values[seen])
    assert (made.red_provenance.values == 2).any()


def test_data_array_gaps_and_score() -> None:
    array = make(1, 64, 64).red
    assert array.inpaint.fillnodata()["red"].dims == array.dims
    assert 0.2 < float(array.inpaint.gaps().red.mean()) < 0.5
    table = array.inpaint.score({"mine": WindowMean(3)}, masks=["clouds"])
    assert isinstance(table, xr.Dataset)
    assert array.inpaint.score("fillnodata")["method"].values.tolist() == ["fillnodata"]


def test_unknown_method_to_score() -> None:
    with pytest.raises(xinpaint.errors.MethodError, match=r"magic.*telea"):
        make(1).inpaint.score(["magic"])


@pytest.mark.parametrize("wrap", [lambda f: {"mine": f}, lambda f: f], ids=["dict", "filler"])
def test_names_and_own_fillers_to_score_go_into_one_dict(wrap: Callable[[Any], Any]) -> None:
    ds, own = make(1), WindowMean(5)
    with pytest.raises(MethodError, match=r"found .* among the methods.*one dict") as caught:
        ds.inpaint.score(["telea", wrap(own)])
    assert "from xinpaint.io.weights import filler; score({'telea': filler('telea'), 'mine'" in str(
        caught.value
    )
    with pytest.raises(MethodError, match="wanted names, or one dict"):
        ds.inpaint.score(own)
    table = ds.inpaint.score({"telea": filler("telea"), "mine": own}, masks="clouds")
    assert table.method.values.tolist() == ["telea", "mine"]


def test_public_names() -> None:
    assert xinpaint.masks.scan_lines((4, 4), seed=0).shape == (4, 4)
    assert set(xinpaint.__all__) == set(dir(xinpaint))
    with pytest.raises(AttributeError, match="nothing"):
        _ = xinpaint.nothing


def test_models_and_rivals_fill_and_say_what_they_are(tmp_path: Path) -> None:
    ds = make(1, 40, 48)
    for name, (method, options) in NETS_IN_USE.items():
        made = getattr(ds.inpaint, method)(**options())
        assert made.attrs["xinpaint_method"] == method
        assert ("red_std" in made) == (name != "partialconv")
        assert (made.red_provenance.values == 2).any()
    other = write(tmp_path, "unet")
    with pytest.raises(WeightsError, match=r"is of the net 'unet', not 'partialconv'"):
        ds.inpaint.partialconv(weights=other)
    with pytest.raises(WeightsError, match=r"is of the net 'unet', not 'convlnp'"):
        ds.inpaint.convnp(model="convlnp", weights=other)
    with pytest.raises(MethodError, match=r"model = 'unet': use one of .*'convlnp'"):
        ds.inpaint.convnp(model="unet")  # type: ignore[arg-type]


def test_a_model_whose_weights_are_not_shipped_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "SHIPPED", write(tmp_path, "convcnp").parent)
    ds = make(1, 40, 48)
    assert "red_std" in ds.inpaint.convnp(model="convcnp")
    for ask in (partial(ds.inpaint.convnp, model="convlnp"), ds.inpaint.unet):
        with pytest.raises(WeightsError, match=r"no weights '\w+': shipped are \['convcnp'\]"):
            ask()
    write(tmp_path, "unet")  # a file more in that folder, and everything turns on
    assert "red_std" in ds.inpaint.unet()


def test_samples_are_draws_that_no_chunk_changes() -> None:
    ds = make(1, 150, 140, dtype="float32")
    options = NETS_IN_USE["convlnp"][1]()
    asked = {**options, "samples": 2, "context": "space"}
    whole = ds.inpaint.convnp(**asked)
    assert dict(whole.red.sizes) == {"sample": 2, **ds.red.sizes}
    assert "red_std" not in whole
    assert "sample" not in whole.red_provenance.dims
    gap = (whole.red_provenance == 2).values
    assert not np.array_equal(whole.red.values[0][gap], whole.red.values[1][gap])
    tiled = ds.chunk({"y": 70, "x": 75}).inpaint.convnp(**asked)
    width = float(ds.red.max() - ds.red.min())
    xr.testing.assert_allclose(whole.red, tiled.red.compute(), rtol=0, atol=1e-4 * width)
    other = ds.inpaint.convnp(**asked | {"seed": 1})
    assert not np.array_equal(whole.red.values[0][gap], other.red.values[0][gap])


@pytest.mark.parametrize("samples", [0, -1, 2.5])
def test_a_number_of_samples_that_makes_no_sense(samples: float) -> None:
    with pytest.raises(MethodError, match=r"samples=.*whole number of at least 1"):
        make(1, 40, 48).inpaint.convnp(samples=samples)  # type: ignore[arg-type]


def test_the_default_draws_samples_too() -> None:
    ds = make(2, 40, 48)
    made = ds.inpaint.convnp(samples=2, context="space")
    assert made.red.dims == ("sample", "time", "y", "x")
    assert made.red.dtype == ds.red.dtype


def test_reflectance_is_filled_alike_in_any_unit_and_any_chunks() -> None:
    """Integers are summed exactly; fractions show what depends on the tile's edge or the unit."""
    cube = xinpaint.tutorial.open_cube(dates=1, size=300, seed=1)
    ds = (cube.where(cube > 0) * 1e-4).astype("float32")[["nir"]]
    how = {"device": "cpu", "turns": 1}
    whole = ds.inpaint.convnp(**how)
    scaled = (ds * np.float32(3)).inpaint.convnp(**how) / 3
    parts = ds.chunk(time=-1, y=150, x=150).inpaint.convnp(**how).compute()
    for name in ("nir", "nir_std"):
        np.testing.assert_allclose(scaled[name], whole[name], atol=1e-5)
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-5)
