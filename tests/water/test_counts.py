import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xinpaint.errors import SchemaError
from xinpaint.water import counts
from xinpaint.water.counts import MonthCounts, count

codes = st.sampled_from([0, 1, 255])
stacks = st.integers(0, 9).flatmap(
    lambda t: st.tuples(
        hnp.arrays(np.uint8, (t, 2, 3), elements=codes),
        hnp.arrays(np.int64, (t,), elements=st.integers(1, 12)),
    )
)


def oracle(extent, months):
    """The definition, pixel by pixel, in words of one syllable."""
    if extent.ndim == 3:
        planes = [
            [oracle(extent[:, y, x], months) for x in range(extent.shape[2])]
            for y in range(extent.shape[1])
        ]
        return np.array(planes, np.uint8)
    wet = []
    for month in range(1, 13):
        seen = [c for c, m in zip(extent, months, strict=True) if m == month and c != 255]
        if seen:
            wet.append(sum(c == 1 for c in seen) * 2 >= len(seen))
    if not wet:
        return 255
    return 2 if all(wet) else 1 if any(wet) else 0


def same(a, b):
    np.testing.assert_array_equal(a.wet, b.wet)
    np.testing.assert_array_equal(a.seen, b.seen)


@given(stacks)
def test_seasonality_is_its_definition(stack):
    made = counts.of_year(count(*stack))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, oracle(*stack))


@given(stacks, st.integers(0, 9))
def test_counts_add_up(stack, cut):
    extent, months = stack
    same(count(extent[:cut], months[:cut]) + count(extent[cut:], months[cut:]), count(*stack))


@given(stacks, st.randoms(use_true_random=False))
def test_the_order_of_dates_means_nothing(stack, random):
    extent, months = stack
    order = list(range(len(months)))
    random.shuffle(order)
    same(count(extent[order], months[order]), count(*stack))


def test_half_of_a_month_is_wet():
    state = counts.month_state(np.uint8([0, 1, 1, 2, 0]), np.uint8([0, 2, 3, 2, 4]))
    assert state.tolist() == [255, 1, 0, 1, 0]
    many = np.uint16([40_000])
    assert counts.month_state(many, many).tolist() == [1]


@given(hnp.arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 2, 255])))
def test_jrc_and_back(classes):
    codes = counts.to_jrc(classes)
    assert codes.max(initial=0) <= 3
    np.testing.assert_array_equal(counts.from_jrc(codes), classes)


def test_jrc_codes():
    assert counts.from_jrc(np.uint8([0, 1, 2, 3])).tolist() == [255, 0, 1, 2]
    with pytest.raises(SchemaError, match=r"codes \[7\]; wanted \[0, 1, 2, 3\]"):
        counts.from_jrc(np.uint8([0, 7]))
    with pytest.raises(SchemaError, match=r"codes \[3\]"):
        counts.to_jrc(np.uint8([3]))


def test_counts_that_cannot_be():
    one = np.ones((12, 1, 1), np.uint16)
    with pytest.raises(SchemaError, match=r"wet of shape \(12, 1, 1\).*no month wet more often"):
        MonthCounts(one, one - 1)
    with pytest.raises(SchemaError, match=r"wet must be uint16 \[12 y x\]; found int64"):
        MonthCounts(one.astype(np.int64), one)
    with pytest.raises(SchemaError, match="seen must be uint16"):
        MonthCounts(one, one[:3])
