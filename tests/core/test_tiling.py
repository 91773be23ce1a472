import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xinpaint.core.tiling import Halo, tiles

size = st.integers(1, 30)
reach = st.none() | st.integers(0, 12)


@given(st.tuples(size, size, size), st.tuples(size, size, size), st.tuples(reach, reach, reach))
def test_cores_cover_everything_once_and_halos_reach(shape, block, reaches):
    seen = np.zeros(shape, int)
    for tile in tiles(shape, block, Halo(*reaches)):
        seen[tile.write] += 1
        piece = np.zeros(shape)[tile.read]
        assert piece[tile.trim].shape == seen[tile.write].shape
        for axis, want in enumerate(reaches):
            (a, b), (c, d), n = tile.core[axis], tile.padded[axis], shape[axis]
            assert (c, d) == ((0, n) if want is None else (max(0, a - want), min(n, b + want)))
    assert (seen == 1).all()


def test_union_takes_the_wider_reach():
    assert Halo(0, 3, None).union(Halo(1, 2, 5)) == Halo(1, 3, None)
