import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xinpaint.core import masks


@pytest.mark.parametrize("seed", range(5))
def test_stripes_grow_from_nadir_to_the_scan_edge(seed):
    share = [masks.scan_lines((256, 256), seed=seed, position=p).mean() for p in (0, 0.5, 1)]
    assert share[0] < 0.05
    assert share[0] < share[1] < share[2]
    assert 0.3 < share[2] < 0.48


def test_stripes_have_the_period_of_two_scans():
    gap = masks.scan_lines((400, 8), seed=3, position=1.0)[:, 0]
    starts = np.flatnonzero(gap[1:] & ~gap[:-1])
    runs = np.diff(starts)
    assert 30 <= np.median(runs) <= 43


@pytest.mark.parametrize("fraction", [0.05, 0.3])
def test_clouds_cover_what_was_asked(fraction):
    assert abs(masks.clouds((128, 128), seed=1, fraction=fraction).mean() - fraction) < 0.01


def test_same_seed_same_mask():
    bank = np.random.default_rng(0).random((5, 40, 40)) < 0.3
    for make in (masks.scan_lines, masks.clouds):
        assert (make((50, 60), seed=4) == make((50, 60), seed=4)).all()
        assert (make((50, 60), seed=4) != make((50, 60), seed=5)).any()
    assert (
        masks.transplant(bank, (30, 70), seed=1) == masks.transplant(bank, (30, 70), seed=1)
    ).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_transplant_fits_any_shape_and_is_a_piece_of_the_bank(y, x, seed):
    bank = np.zeros((2, 32, 32), bool)
    bank[0, ::4] = bank[1, ::4] = True
    gap = masks.transplant(bank, (y, x), seed=seed)
    assert gap.shape == (y, x)
    assert (gap == gap[:, :1]).all()


def slow_surrounded(context, reach):
    out = np.zeros_like(context)
    height, width = context.shape
    for y in range(height):
        for x in range(width):
            r = max(height, width) if reach is None else reach
            sides = (
                context[max(0, y - r) : y, x].any(),
                context[y + 1 : y + 1 + r, x].any(),
                context[y, max(0, x - r) : x].any(),
                context[y, x + 1 : x + 1 + r].any(),
            )
            out[y, x] = sum(sides) >= 3
    return out


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
def test_surrounded_is_what_it_says(context, data):
    reach = data.draw(st.none() | st.integers(1, 6))
    assert (masks.surrounded(context, reach) == slow_surrounded(context, reach)).all()
    stacked = np.stack([context, context])
    assert (masks.surrounded(stacked, reach)[1] == slow_surrounded(context, reach)).all()


def test_the_land_beside_a_slanting_swath_stays_outside():
    rows, cols = np.mgrid[0:200, 0:200]
    swath = cols > 80 + 0.17 * rows
    assert not (masks.surrounded(swath, 64) & ~swath).any()


def test_a_stripe_across_the_whole_image_lies_between():
    rows = np.ones((64, 64), bool)
    rows[20:25] = rows[40:42] = False
    for seen in (rows, rows.T):
        assert masks.between(seen, 64).all(axis=None, where=~seen)
        assert not masks.surrounded(seen, 64)[~seen].any()
    rows[:3] = False
    assert not masks.between(rows, 64)[:3].any()


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
def test_what_is_surrounded_lies_between(context, data):
    reach = data.draw(st.none() | st.integers(1, 6))
    assert not (masks.surrounded(context, reach) & ~masks.between(context, reach)).any()
