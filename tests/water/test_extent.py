import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinpaint.errors import MethodError
from xinpaint.water.extent import BINS, Rule, classify, histogram, otsu

SPAN = (-1.0, 1.0)


def test_wet_dry_unknown():
    made = classify(np.float32([0.1, 0.0, -0.1, np.nan]), 0.0)
    assert made.dtype == np.uint8
    assert made.tolist() == [1, 0, 0, 255]


def test_one_threshold_a_date():
    index = np.float32([[[0.1]], [[0.1]]])
    assert classify(index, np.array([0.0, 0.2])[:, None, None]).ravel().tolist() == [1, 0]


def test_an_unknown_threshold_makes_land():
    assert classify(np.float32([0.1, np.nan]), float("nan")).tolist() == [0, 255]


def test_otsu_parts_two_heaps():
    rng = np.random.default_rng(0)
    index = np.concatenate([rng.normal(-0.5, 0.08, 7000), rng.normal(0.6, 0.08, 3000)])
    assert otsu(histogram(index.astype(np.float32), SPAN), SPAN) == pytest.approx(0.05, abs=0.1)


def test_otsu_against_brute_force():
    values = np.random.default_rng(1).beta(0.5, 0.8, 2000).astype(np.float32) * 2 - 1
    counts = histogram(values, SPAN)
    edges = np.linspace(*SPAN, BINS + 1)
    centre = (edges[1:] + edges[:-1]) / 2
    binned = np.repeat(centre, counts)

    def within(t):
        low, high = binned[binned < t], binned[binned >= t]
        return low.size * low.var() + high.size * high.var()

    best = min(edges[1:-1], key=lambda t: within(t) if (binned < t).any() else np.inf)
    assert within(otsu(counts, SPAN)) == pytest.approx(within(best))


def test_otsu_of_one_value_is_unknown():
    assert np.isnan(otsu(histogram(np.full(9, 0.3, np.float32), SPAN), SPAN))
    assert np.isnan(otsu(histogram(np.full(9, np.nan, np.float32), SPAN), SPAN))


@given(st.lists(st.floats(-3, 3, width=32), max_size=30), st.integers(0, 30))
def test_histograms_add_up(values, cut):
    whole = np.array([*values, np.nan], np.float32)
    parts = histogram(whole[:cut], SPAN) + histogram(whole[cut:], SPAN)
    np.testing.assert_array_equal(parts, histogram(whole, SPAN))
    assert parts.sum() == len(values)


def test_rule_knows_its_words():
    with pytest.raises(MethodError, match=r"unknown index 'wet'.*mndwi"):
        Rule("wet")
    with pytest.raises(MethodError, match="'otsu'"):
        Rule(threshold="best")  # type: ignore[arg-type]
