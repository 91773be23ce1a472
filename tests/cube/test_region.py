"""What a block wants filled."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cube.fillers import PlaneMean, WindowMean
from xinpaint.core import masks
from xinpaint.cube import region


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
