"""What a block wants filled."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cube.fillers import PlaneMean, WindowMean
from tests.cube.make import make
from xinpaint.core import masks
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.cube import region
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import MethodError


@pytest.mark.parametrize("filler", [WindowMean(5), PlaneMean()])
def test_bands_that_lack_the_same_pixels_are_looked_at_once(filler, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    plan = region.Plan(filler, (), (), ())
    one = rng.random((2, 1, 40, 50)) < 0.2
    one[:, :, 10:20, 5:30] = False
    asked, real = [], masks.surrounded

    def surrounded(context, reach):
        asked.append(context.shape[1])
        return real(context, reach)

    monkeypatch.setattr(masks, "surrounded", surrounded)
    alone = region._in_reach(plan, one)
    same = region._in_reach(plan, np.repeat(one, 3, axis=1))
    assert asked == [1, 1]
    assert (same == alone).all() and same.shape == (2, 3, 40, 50)
    other = one.copy()
    other[1, 0, 12, 12] = True
    mixed = region._in_reach(plan, np.concatenate([one, other], axis=1))
    assert asked[2:] == [2]
    assert (mixed[:, :1] == alone).all()
    assert (mixed[:, 1:] == region._in_reach(plan, other)).all()


class Unsure:
    """Sure of its mean and not of how sure it is; or says nothing of that."""

    has_std = True
    halo = Halo(0, 4, 4)

    def __init__(self, std: float | None) -> None:
        self.std = std

    def fill(self, task: Task) -> Fill:
        std = None if self.std is None else np.full(task.shape, self.std, np.float32)
        return Fill(np.full(task.shape, 7, np.float32), std)


def test_a_std_that_is_not_finite_fills_nothing() -> None:
    made = inpaint(make(1), Unsure(np.inf), name="unsure")
    assert not (made.red_provenance == 2).any()
    assert (made.red_provenance == 3).any()
    assert (made.red.values[made.red_provenance.values != 1] == 0).all()
    with pytest.raises(MethodError, match="Unsure has has_std = True but returned no std"):
        inpaint(make(1), Unsure(None), name="unsure")
