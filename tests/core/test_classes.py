import numpy as np
import pytest

from xinpaint.core import classes

TRUTH = np.uint8([0, 0, 0, 1, 1, 2, 255, 2])
FOUND = np.uint8([0, 0, 1, 1, 255, 2, 0, 2])


def error(p, truth):
    return classes.calibration_error(classes.reliability(p, truth))


def test_counts_by_hand():
    table = classes.confusion(TRUTH, FOUND, 3)
    assert table.tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0]]
    np.testing.assert_allclose(classes.iou(table), [2 / 3, 1 / 3, 1])
    np.testing.assert_allclose(classes.f1(table), [4 / 5, 1 / 2, 1])


def test_a_class_in_neither_has_no_score():
    table = classes.confusion(np.uint8([0, 0]), np.uint8([0, 2]), 3)
    assert np.isnan(classes.iou(table)).tolist() == [False, True, False]


def test_calibration_error():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 40_000).T
    drawn = (rng.random(40_000) > np.cumsum(p, 0)).sum(0).astype(np.uint8)
    assert error(p, drawn) < 0.01
    assert error(p, np.full(40_000, 255, np.uint8)) == 0
    sharp = p**4 / (p**4).sum(0)
    assert error(sharp, drawn) > 0.15
    sure = np.zeros((3, 4))
    sure[0] = 1
    assert error(sure, np.uint8([0, 0, 0, 1])) == pytest.approx(0.25)
    both = classes.reliability(p, drawn)
    parts = [classes.reliability(p[:, part], drawn[part]) for part in (slice(9), slice(9, None))]
    np.testing.assert_allclose(sum(parts), both)
