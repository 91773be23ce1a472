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
    assert window.values.shape == (3, 2, 512, 512)
    assert window.origin[0] >= 690
    assert window.days[-1] - window.days[0] == 32


def test_bands_of_an_array_are_variables() -> None:
    array = make(1)[["red", "nir"]].to_dataarray("band", name="sr").assign_attrs(nodata=0)
    table = score(array, {"w": WindowMean(5)}, masks=["clouds"])
    assert table["variable"].values.tolist() == ["sr_red", "sr_nir"]
