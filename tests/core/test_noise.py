"""Noise belongs to places."""

import numpy as np
from scipy import stats

from xinpaint.core.noise import gaussian


def test_a_tile_holds_what_the_whole_holds():
    whole = gaussian((7, 2, -3), (3, 40, 50), (100, 200))
    part = gaussian((7, 2, -3), (3, 9, 11), (110, 230))
    np.testing.assert_array_equal(part, whole[:, 10:19, 30:41])


def test_it_is_standard_normal_and_white():
    drawn = gaussian((0, 1), (4, 200, 200), (0, 0)).astype(np.float64)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3
    for axis in range(3):
        one = np.take(drawn, range(drawn.shape[axis] - 1), axis).ravel()
        two = np.take(drawn, range(1, drawn.shape[axis]), axis).ravel()
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.02


def test_every_part_of_the_key_matters():
    first = gaussian((0, 1, 2), (1, 8, 8), (0, 0))
    for key in ((1, 1, 2), (0, 2, 2), (0, 1, 3), (1, 0, 2)):
        assert not np.array_equal(gaussian(key, (1, 8, 8), (0, 0)), first)
