"""The choice of other dates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinpaint.core.dates import check_days, nearest
from xinpaint.errors import SchemaError

calendars = st.lists(st.integers(0, 500), min_size=1, max_size=15, unique=True)


@given(days=calendars, count=st.integers(0, 8), pick=st.integers(0, 14))
def test_a_halo_of_count_holds_the_nearest(days: list[int], count: int, pick: int) -> None:
    calendar = np.sort(np.array(days, float))
    date = pick % len(calendar)
    chosen = nearest(calendar, date, count)
    first = max(0, date - count)
    part = calendar[first : date + count + 1]
    assert tuple(k + first for k in nearest(part, date - first, count)) == chosen
    assert date not in chosen
    assert len(chosen) == min(count, len(calendar) - 1)


def test_the_earlier_first_on_ties_and_none_too_far() -> None:
    days = np.array([32.0, 0.0, 16.0, 100.0])
    assert nearest(days, 2, 3) == (1, 0, 3)
    assert nearest(days, 2, 3, max_days=16) == (1, 0)


@pytest.mark.parametrize("days", [[0.0, np.nan], [3.0, 1.0, 3.0]])
def test_missing_and_double_days_are_refused(days: list[float]) -> None:
    with pytest.raises(SchemaError, match="somebody"):
        check_days(np.array(days), "somebody")
