"""The accessor: real signatures, and a cheap import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from xinpaint.accessors import Inpaint

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
FILLING = ("convnp", *CLASSICAL)


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


def test_public_names() -> None:
    assert xinpaint.masks.scan_lines((4, 4), seed=0).shape == (4, 4)
    assert set(xinpaint.__all__) == set(dir(xinpaint))
    with pytest.raises(AttributeError, match="nothing"):
        _ = xinpaint.nothing
