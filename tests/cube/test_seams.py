"""Tiled = whole: any chunking, any tile, the same answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cube.fillers import PlaneMean, TimeMean, WindowMean
from tests.cube.make import make
from xinpaint.cube import lazily, region
from xinpaint.cube.inpaint import inpaint
from xinpaint.io.weights import filler
from xinpaint.methods.regression import LocalRegression

RANGE = 4000.0
FILLERS = {
    "window": WindowMean(5, pattern=50.0),
    "wide window": WindowMean(70, pattern=50.0),
    "plane": PlaneMean(),
    "neighbour dates": TimeMean(1),
    "all dates": TimeMean(None),
    "regression": LocalRegression(max_dates=1),
}
COMMON = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def chunkings(draw: st.DrawFn, size: int, least: int) -> tuple[int, ...]:
    """Any cut of `size` into positive pieces, ragged ends included."""
    cuts = draw(st.lists(st.integers(least, size - 1), max_size=4, unique=True).map(sorted))
    edges = [0, *cuts, size]
    return tuple(int(step) for step in np.diff(edges))


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    assert list(a.variables) == list(b.variables)
    for name in a.data_vars:
        left, right = a[name].values, b[name].values
        assert left.dtype == right.dtype
        if str(name).endswith("_provenance"):
            np.testing.assert_array_equal(left, right)
        elif left.dtype.kind in "iu":
            assert np.abs(left.astype(int) - right.astype(int)).max() <= 1
        else:
            np.testing.assert_allclose(left, right, rtol=0, atol=1e-4 * RANGE)


@pytest.mark.parametrize("method", FILLERS)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@COMMON
@given(data=st.data())
def test_any_chunking(
    method: str, dtype: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region, "REACH", 6)  # a short halo leaves more blocks unmerged
    ds = make(3, 150, 170, dtype=dtype)
    whole = inpaint(ds, FILLERS[method], name=method)
    chunks = {
        "time": data.draw(chunkings(3, 1)),
        "y": data.draw(chunkings(150, 1)),
        "x": data.draw(chunkings(170, 1)),
    }
    lazy = ds.chunk(chunks)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "chunks of", UserWarning)
        tiled = inpaint(lazy, FILLERS[method], name=method)
    assert all(tiled[name].chunks == lazy["red"].chunks for name in tiled.data_vars)
    same(tiled.compute(scheduler="synchronous"), whole)


@pytest.mark.parametrize("method", FILLERS)
@pytest.mark.parametrize("side", [17, 64])
def test_any_tile(method: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "REACH", 6)
    ds = make(2, 110, 90, dtype="float32")
    whole = inpaint(ds, FILLERS[method], name=method)
    monkeypatch.setattr(region, "SIDE", side)
    same(inpaint(ds, FILLERS[method], name=method), whole)


def test_variables_of_different_chunks() -> None:
    ds = make(2, 150, 170)
    lazy = ds.chunk(time=1, y=75, x=85)
    lazy["nir"] = lazy["nir"].chunk(time=2, y=150, x=100)
    made = inpaint(lazy, FILLERS["window"], name="window")
    assert made["nir_std"].chunks == lazy["nir"].chunks
    assert made["red_std"].chunks == lazy["red"].chunks
    same(made.compute(), inpaint(ds, FILLERS["window"], name="window"))


def test_small_chunks_warn_and_return(recwarn: pytest.WarningsRecorder) -> None:
    lazy = make(1, 150, 170).chunk(y=20, x=170)
    with pytest.warns(UserWarning, match="chunks of 20 along y .* halo of 64"):
        made = inpaint(lazy, FILLERS["window"], name="window")
    assert made["red"].chunks == lazy["red"].chunks


def test_one_pass_for_all_outputs() -> None:
    calls: list[Any] = []

    class Counting(WindowMean):
        def __dask_tokenize__(self) -> str:
            return "counting"

        def fill(self, task: Any) -> Any:
            calls.append(task.origin)
            return super().fill(task)

    lazy = make(1, 150, 170).chunk(y=75, x=85)
    made = inpaint(lazy, Counting(5), name="counting")
    assert calls == []
    made.compute(scheduler="synchronous")
    assert sorted(calls) == [(0, 0), (0, 21), (11, 0), (11, 21)]
    calls.clear()
    one = made["red"].compute(scheduler="synchronous")
    assert len(calls) == 4
    np.testing.assert_array_equal(one, inpaint(make(1, 150, 170), WindowMean(5), name="w")["red"])


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads share a tile: with several, PyTorch splits its sums by the tile's shape."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_convnp_has_no_seams(threads: int) -> None:
    from scipy import ndimage

    ds = make(1, 200, 230, dtype="float32")[["red"]]
    gap = np.isnan(ds.red.values)
    smooth = ndimage.gaussian_filter(np.where(gap, 2000, ds.red.values), (0, 3, 3))
    ds["red"].values[:] = np.where(gap, np.nan, smooth)
    method = filler("convnp", device="cpu")
    whole = inpaint(ds, method, name="convnp")
    assert (whole.red_provenance == 2).any()
    tiled = inpaint(ds.chunk(y=(64, 136), x=(65, 66, 99)), method, name="convnp")
    made = tiled.compute(scheduler="synchronous")
    same(made, whole)
    few = 0.0 if threads == 1 else 1e-5
    for name in ("red", "red_std"):
        np.testing.assert_allclose(made[name], whole[name], rtol=few, atol=0)


def test_convnp_has_no_seams_in_time(tmp_path: Path) -> None:
    import torch
    from scipy import ndimage

    from xinpaint.io.weights import save
    from xinpaint.nets.convnp import ConvNP

    torch.manual_seed(1)
    numbers = {"spatial": {"widths": [8, 8, 8], "shared": [0, 8, 8]}, "width": 8, "deep": 8}
    numbers |= {"fine": True, "align": True, "alike": True, "smooth": True, "turns": 2}
    path = save(
        tmp_path / "net.safetensors",
        ConvNP(**numbers),
        name="convnp",
        numbers=numbers,
        recipe={},
        scores={},
    )
    ds = make(5, 296, 304, dtype="float32")
    gap = np.isnan(ds.red.values)
    gap[2, 100:190, 90:180] = True  # the far window's, across the seams
    gap[4, 120:] = True  # and the farthest one's, with what is beyond it
    smooth = ndimage.gaussian_filter(np.where(gap, 2000, ds.red.values), (0, 3, 3))
    dates = [ndimage.shift(smooth[k], (0.1 * k, -0.15 * k)) + 50 * k for k in range(5)]
    ds["red"].values[:] = np.where(gap, np.nan, dates)
    gap[1] = gap[3, :, :130] = True  # a band that a date lacks, and part of another
    ds["nir"].values[:] = np.where(gap, np.nan, np.square(dates) / 2000)
    method = filler("convnp", weights=path, device="cpu", max_dates=2)
    assert method.halo.t == 2
    with pytest.warns(UserWarning, match="nothing of 'nir' was observed on 2003-07-17"):
        whole = inpaint(ds, method, name="convnp")
    tiled = inpaint(ds.chunk(time=(2, 3), y=(147, 149), x=(158, 146)), method, name="convnp")
    same(tiled.compute(scheduler="synchronous"), whole)
    codes = whole.red_provenance.values[4]
    wanted, beyond = codes[120:230], codes[245:]
    assert (wanted[wanted > 0] == 2).mean() > 0.9 and (beyond[beyond > 0] == 3).all()


def test_many_blocks_name_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazily, "MANY", 3)
    with pytest.warns(UserWarning, match=r"4 blocks make a large dask graph.*xinpaint\.fill"):
        inpaint(make(1, 150, 170).chunk(y=75, x=85), FILLERS["window"], name="window")
