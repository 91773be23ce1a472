"""Scores on the user's own cube."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.cube.fillers import PlaneMean, TimeMean, WindowMean
from tests.cube.make import make
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.cube import schema
from xinpaint.cube import score as room
from xinpaint.cube.score import score


class Known:
    """Answers with the truth it was given: the best that can be."""

    has_std = True
    halo = Halo(0, 0, 0)

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth

    def fill(self, task: Task) -> Fill:
        return Fill(self.truth, np.zeros(task.shape, np.float32))


def test_table() -> None:
    ds = make(2, 64, 70)
    truth = np.stack([ds.red.values, ds.nir.values], 1).astype(np.float32)
    fillers = {"w": WindowMean(5), "p": PlaneMean(), "t": TimeMean(), "best": Known(truth)}
    before = ds.copy(deep=True)
    table = score(ds, fillers)
    assert dict(table.sizes) == {"method": 4, "mask": 2, "variable": 2}
    assert table["variable"].values.tolist() == ["red", "nir"]
    best = table.sel({"method": "best"})
    assert (best.psnr > 90).all()
    assert (best.ssim > 0.999999).all()
    assert (best.mae == 0).all()
    assert (best.coverage == 1).all()
    assert (table.psnr.sel({"method": "w"}) < 20).all()
    assert table.crps.sel({"method": ["p", "t"]}).isnull().all()
    assert table.crps.sel({"method": ["w", "best"]}).notnull().all()
    assert ((table.answered > 0) & (table.answered <= 1)).all()
    xr.testing.assert_identical(ds, before)
    xr.testing.assert_identical(table, score(ds.chunk(time=1), fillers))
    assert not table.equals(score(ds, fillers, seed=1))


def test_window_is_bounded_and_observed() -> None:
    ds = make(5, 1400, 1100)
    ds["red"][:3] = 0
    ds["red"][:, :700] = 0
    cube = schema.read(ds)
    window = room._window(cube, cube.groups[0])
    assert window.values.shape == (5, 2, 512, 512)
    assert window.origin[0] >= 690
    assert window.scored == slice(2, 5)
    assert room._hide(window, "clouds", 0).any((1, 2, 3)).tolist() == [False] * 2 + [True] * 3
    ds = make(30, 8, 9)
    ds["red"][:12], ds["red"][15:] = 0, 0
    cube = schema.read(ds)
    window = room._window(cube, cube.groups[0])
    assert (len(window.days), window.scored) == (15, slice(6, 9))


def test_methods_look_at_more_dates_than_are_scored() -> None:
    sizes = {}

    class Look(TimeMean):
        def fill(self, task: Task) -> Fill:
            sizes["dates"] = len(task.days)
            assert task.context[:2].any()
            return super().fill(task)

    ds = make(5, 64, 64)
    ds["red"][0] = 0
    table = score(ds, {"all": Look(), "space": PlaneMean()}, masks="clouds")
    assert sizes["dates"] == 5
    assert table.psnr.notnull().all()


def test_methods_are_compared_on_what_all_answered() -> None:
    class Half(WindowMean):
        def fill(self, task: Task) -> Fill:
            fill = super().fill(task)
            fill.mean[..., ::2] = np.nan
            return fill

    class Silent(WindowMean):
        def fill(self, task: Task) -> Fill:
            return Fill(np.full(task.shape, np.nan, np.float32))

    ds = make(1, 64, 70)
    alone = score(ds, {"whole": WindowMean(5)})
    table = score(ds, {"whole": WindowMean(5), "half": Half(5), "silent": Silent(5)})
    whole, half, silent = (table.sel({"method": name}) for name in table["method"].values)
    for key in ("psnr", "ssim", "mae", "crps"):
        np.testing.assert_array_equal(whole[key], half[key])
        assert silent[key].isnull().all()
        assert (whole[key] != alone[key].squeeze("method")).any()
    np.testing.assert_array_equal(whole.answered, alone.answered.squeeze("method"))
    assert (half.answered < 0.7).all()
    assert (silent.answered == 0).all()
    np.testing.assert_array_equal(whole.compared, half.answered)
    assert (alone.compared == alone.answered).all()
    assert (silent.compared == 0).all()


def test_bands_of_an_array_are_variables() -> None:
    array = make(1)[["red", "nir"]].to_dataarray("band", name="sr").assign_attrs(nodata=0)
    table = score(array, {"w": WindowMean(5)}, masks=["clouds"])
    assert table["variable"].values.tolist() == ["sr_red", "sr_nir"]
