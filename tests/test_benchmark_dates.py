"""The benchmark of dates: cases, scores and tables on a series made here, and on the real one."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import regression
from benchmarks.dates import report
from benchmarks.dates.cases import (
    Case,
    Series,
    hidden_gaps,
    lie,
    own_gaps,
    read_series,
    real_gaps,
)
from benchmarks.dates.scoring import COUNTS, methods, score
from xinpaint.core import masks
from xinpaint.methods.regression import LocalRegression
from xinpaint.methods.telea import Telea


@pytest.fixture
def series() -> Series:
    """Three dates of one place, each linear in the others, with a little noise."""
    rng = np.random.default_rng(0)
    base = ndimage.gaussian_filter(rng.normal(size=(2, 120, 120)), (0, 2, 2))
    values = np.stack([300 + base * 900 * k + rng.normal(0, 3, base.shape) for k in (1, 2, 3)])
    seen = np.ones(values.shape, bool)
    days = np.array([0.0, 16.0, 32.0])
    return Series("made", values.astype(np.float32), seen, seen, days, ("a", "b", "c"))


def test_every_method_can_be_made() -> None:
    made = methods(None)
    assert [f"convnp K={count}" for count in COUNTS] == list(made)[-len(COUNTS) :]
    assert "nspi" in made


def one_case(series: Series) -> Case:
    gap = masks.scan_lines((120, 120), seed=1, position=1.0)
    (case,) = hidden_gaps(series, [1], [("edge", gap)])
    return case


def test_dates_win_where_dates_tell(series: Series) -> None:
    case = one_case(series)
    rows = [
        score(case, "regression", LocalRegression(), 2),
        score(case, "telea", Telea(radius=9), 0),
    ]
    assert rows[0].psnr > rows[1].psnr + 10
    assert rows[0].answered == 1.0
    assert math.isnan(rows[0].planted)
    assert math.isnan(rows[1].coverage)
    table = report.table(rows)
    assert "| regression |" in table
    assert "made b edge" in table


def test_the_truth_is_not_handed_over(series: Series) -> None:
    case = one_case(series)
    task = case.task()
    assert (task.values[~task.context] == 0).all()
    assert (task.target[case.date] == case.hidden).all()
    assert not task.target[[0, 2]].any()


def test_a_lie_is_planted_on_the_other_dates_only(series: Series) -> None:
    case = one_case(series)
    planted = lie(case, 3)
    assert planted.planted is not None
    assert 0.05 < planted.planted.mean() < 0.15
    changed = (planted.values != case.values).any(1)
    assert not changed[case.date].any()
    assert not changed[:, ~planted.planted].any()
    assert changed[0][planted.planted].mean() > 0.9
    row = score(planted, "regression", LocalRegression(), 2)
    assert row.planted > 0
    assert 0 < row.shown != row.planted


@pytest.mark.skipif("XINPAINT_DATA" not in os.environ, reason="needs XINPAINT_DATA")
def test_real_gaps_leave_the_truth_out() -> None:
    series = read_series(Path(os.environ["XINPAINT_DATA"]), "series/oakville/*.tif")
    cases = list(real_gaps(series))
    assert len(series.days) == 148
    assert len(cases) == 10
    for case in cases:
        away = np.abs(case.days - case.days[case.date])
        assert case.hidden.any()
        assert not (case.hidden & case.context[case.date]).any()
        assert len(case.days) == 147
        assert np.sort(away)[1] >= 1


@pytest.mark.skipif("XINPAINT_DATA" not in os.environ, reason="needs XINPAINT_DATA")
def test_more_gaps_hide_what_the_date_itself_saw() -> None:
    series = read_series(Path(os.environ["XINPAINT_DATA"]), "series/oakville/*.tif")
    cases = list(own_gaps(series))
    assert len({case.date for case in cases}) == 10
    for case in cases:
        assert case.hidden.mean() > 0.05
        assert (case.hidden <= series.clear[case.date]).all()
        assert not (case.hidden & case.context[case.date]).any()
        assert (case.truth == series.values[case.date]).all()


def test_errors_are_counted_in_the_deviations_that_regression_gives() -> None:
    rng = np.random.default_rng(0)
    by, errors = rng.random(20_000) * 2, rng.normal(size=20_000)
    told = regression.table("t", by, (0.0, 1.0, np.inf), {"twice": 2 * errors}).splitlines()
    assert len(told) == 4
    for line in told[2:]:
        rms, wide = line.split()[3:]
        assert float(rms.rstrip(",")) == pytest.approx(2, abs=0.05)
        assert float(wide) == pytest.approx(2, abs=0.1)
