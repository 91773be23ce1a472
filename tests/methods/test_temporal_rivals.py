"""What each method of other dates does, beyond the contract."""

from __future__ import annotations

import itertools
from datetime import timedelta

import numpy as np
import pytest

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import MethodError, SchemaError
from xinpaint.methods.harmonic import Harmonic
from xinpaint.methods.histogram import Histogram
from xinpaint.methods.nspi import NSPI
from xinpaint.methods.table import METHODS

TWO_DATES = ["histogram", "nspi"]
RIVALS = [*TWO_DATES, "harmonic"]
two_dates = pytest.mark.parametrize("name", TWO_DATES)
rivals = pytest.mark.parametrize("name", RIVALS)


def field(bands: int = 3, side: int = 48, seed: int = 0) -> np.ndarray:
    """One date ``[b y x]`` of four kinds of surface in patches of six pixels, with noise."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, (side // 6 + 1, side // 6 + 1)).repeat(6, 0).repeat(6, 1)
    levels = rng.uniform(0, 1, (bands, 4))
    clean = levels[:, kinds[:side, :side]]
    return clean + 0.01 * rng.normal(size=clean.shape)


def stripe(side: int = 48, width: int = 6) -> np.ndarray:
    """A gap ``[y x]`` through the middle."""
    cols = np.broadcast_to(np.arange(side), (side, side))
    return (cols >= side // 2) & (cols < side // 2 + width)


def stack(dates: list[np.ndarray], gap: np.ndarray, days: list[float], date: int = 0) -> Task:
    """A task of dates ``[b y x]``; the gap ``[y x]`` of one of them is wanted."""
    values = np.stack(dates).astype(np.float32)
    target = np.zeros(values.shape, bool)
    target[date] = gap
    values[target] = -1e6
    return Task(values, ~target, target, np.array(days))


def answers(filler: object, task: Task, date: int = 0) -> np.ndarray:
    """The answers of one date, ``[b pixel]``."""
    fill = filler.fill(task)
    assert isinstance(fill, Fill)
    return fill.mean[date][:, task.target[date, 0]]


@pytest.mark.parametrize(("gain", "bias"), [(1.0, 0.0), (0.5, 3.0), (2.9, -40.0), (1, 1e4)])
def test_histogram_is_exact_where_a_line_leads_from_date_to_date(gain: float, bias: float) -> None:
    other, gap = field(), stripe()
    task = stack([gain * other + bias, other], gap, [0, 16])
    expected = (gain * other + bias)[:, gap]
    np.testing.assert_allclose(
        answers(Histogram(), task), expected, rtol=0, atol=1e-5 * gain + 1e-6 * abs(bias)
    )


@pytest.mark.parametrize("gain", [0.2, 5.0])
def test_histogram_beyond_its_gains_only_moves_the_mean(gain: float) -> None:
    other, gap = field(), stripe()
    task = stack([gain * other, other], gap, [0, 16])
    moved = answers(Histogram(window=31), task) - other[:, gap]
    contrast = np.std(moved, axis=1) / np.std(other[:, gap], axis=1)
    assert contrast.max() < 0.5 * abs(gain - 1)


def test_histogram_waits_for_enough_common_pixels() -> None:
    other, gap = field(side=40), stripe(40, 4)
    task = stack([other, other], gap, [0, 16])
    held = 13 * (13 - 4)  # in a window of 13 that no edge cuts, the gap aside
    inner = slice(4 * 6, -4 * 6)  # answers come row by row, four a row
    assert np.isfinite(answers(Histogram(window=13, common=held), task)[:, inner]).all()
    assert np.isnan(answers(Histogram(window=13, common=held + 1), task)).all()
    assert np.isfinite(answers(Histogram(window=15, common=held + 1), task)[:, inner]).all()


def test_nspi_follows_each_kind_of_surface() -> None:
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, 4, (8, 8)).repeat(6, 0).repeat(6, 1)
    before = np.array([[0.1, 0.4, 0.7, 1.0], [0.7, 0.1, 1.0, 0.4], [0.4, 1.0, 0.1, 0.7]])
    after = rng.uniform(0, 1, (3, 4))
    here, there, gap = after[:, kinds], before[:, kinds], stripe()
    task = stack([here, there], gap, [0, 16])
    np.testing.assert_allclose(answers(NSPI(), task), here[:, gap], rtol=0, atol=2e-3)
    histogram = np.abs(answers(Histogram(), task) - here[:, gap]).mean()
    assert histogram > 0.05  # one gain for all kinds cannot follow


def test_nspi_uses_all_bands_of_the_other_date() -> None:
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 2, (8, 8)).repeat(6, 0).repeat(6, 1)
    same = np.full((48, 48), 0.5)
    there = np.stack([same, 0.2 + 0.6 * kind])  # only the second band tells the kinds apart
    here = np.stack([0.2 + 0.3 * kind, 0.2 + 0.6 * kind])
    task = stack([here, there], stripe(), [0, 16])
    np.testing.assert_allclose(answers(NSPI(), task), here[:, stripe()], rtol=0, atol=2e-3)


@pytest.mark.parametrize(("gain", "bias"), [(2.0**-12, 0.0), (2.0**9, 0.0), (1.0, 8192.0)])
@rivals
def test_units_mean_nothing_at_all(name: str, gain: float, bias: float) -> None:
    rng = np.random.default_rng(5)
    dates = [np.rint(1000 * (field(seed=1) + 0.1 * rng.normal(size=(3, 48, 48)))) for _ in range(9)]
    days = [20.0 * k for k in range(9)]
    plain = METHODS[name]().fill(stack(dates, stripe(), days, 4)).mean
    moved = METHODS[name]().fill(stack([gain * d + bias for d in dates], stripe(), days, 4)).mean
    np.testing.assert_allclose((moved - bias) / gain, plain, rtol=0, atol=2e-3)


@two_dates
def test_the_nearest_date_that_saw_the_pixel_is_taken(name: str) -> None:
    gap, rng = stripe(), np.random.default_rng(6)
    truth = field()
    dates = [truth, truth + rng.normal(size=truth.shape), truth + 2, truth + 3]
    task = stack(dates, gap, [100, 170, 110, 95])
    blind = task.context.copy()
    blind[3] = ~gap
    task = Task(task.values, task.context & blind, task.target, task.days)
    assert np.abs(answers(METHODS[name](), task) - truth[:, gap]).max() < 0.05
    too_far = METHODS[name](max_days=9)
    assert np.isnan(answers(too_far, task)).all()
    assert np.isnan(answers(METHODS[name](max_dates=1), task)).all()


@two_dates
def test_a_date_that_cannot_answer_passes_the_question_on(name: str) -> None:
    truth, gap = field(), stripe()
    task = stack([truth, truth + 9, truth + 1], gap, [100, 101, 120])
    context = task.context.copy()
    context[1] = gap  # saw the gap, and nothing else to compare
    task = Task(task.values, context, task.target, task.days)
    assert np.abs(answers(METHODS[name](), task) - truth[:, gap]).max() < 0.05


@two_dates
def test_bands_may_be_missing_apart(name: str) -> None:
    truth, gap = field(bands=4), stripe()
    task = stack([truth, truth + 1], gap, [0, 16])
    context, target = task.context.copy(), task.target.copy()
    context[1, 2] = False  # the other date has no third band
    context[0, 1, :4] = False
    target[0, 1, :4] = True
    task = Task(np.where(context, task.values, np.nan), context, target, task.days)
    fill = METHODS[name]().fill(task)
    assert np.isnan(fill.mean[0, 2]).all()
    for band in (0, 1, 3):
        found = fill.mean[0, band][target[0, band]]
        assert np.abs(found - truth[band][target[0, band]]).max() < 0.1
    assert np.isnan(fill.mean[~target]).all()


@two_dates
def test_a_change_hidden_in_the_gap_cannot_be_known(name: str) -> None:
    before, gap = field(), stripe()
    after = np.where(gap, before + 5, before)
    task = stack([after, before], gap, [0, 16])
    assert np.abs(answers(METHODS[name](), task) - before[:, gap]).max() < 0.05


@rivals
def test_one_date_alone_is_not_answered(name: str) -> None:
    task = stack([field()], stripe(), [0])
    assert np.isnan(METHODS[name]().fill(task).mean).all()


def test_nspi_in_small_batches_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    noise = [field() + 0.2 * rng.normal(size=(3, 48, 48)) for _ in range(2)]
    task = stack(noise, stripe(width=20), [0, 16])
    whole = answers(NSPI(), task)
    monkeypatch.setattr("xinpaint.methods.nspi._BATCH", 5000)
    np.testing.assert_array_equal(answers(NSPI(), task), whole)


def series(when: np.ndarray, curve: np.ndarray, seen: np.ndarray, order: int = 1) -> np.ndarray:
    """What `Harmonic` answers at the unseen dates of one pixel."""
    values = np.where(seen, curve, 9e9).astype(np.float32)[:, None, None, None]
    context = seen[:, None, None, None]
    fill = Harmonic(order=order).fill(Task(values, context, ~context, when))
    return fill.mean[~seen, 0, 0, 0]


@pytest.mark.parametrize("order", [1, 2])
def test_harmonic_finds_the_season_and_the_trend_again(order: int) -> None:
    when = np.arange(0, 4 * 365.25, 16)
    year = 2 * np.pi * when / 365.25
    curve = 3000 + 100 * when / 365.25 + 800 * np.cos(year - 1)
    if order == 2:
        curve += 300 * np.sin(2 * year)
    seen = np.random.default_rng(8).random(len(when)) < 0.6
    np.testing.assert_allclose(series(when, curve, seen, order), curve[~seen], atol=20)


def test_harmonic_with_few_observations_is_their_mean() -> None:
    when = np.array([0.0, 30, 60, 90])
    curve = np.array([1.0, 4, 7, np.nan])
    for count, mean in ((1, 1.0), (2, 2.5), (3, 4.0)):
        seen = np.arange(4) < count
        np.testing.assert_allclose(series(when, curve, seen), mean)


def test_harmonic_never_explodes() -> None:
    rng = np.random.default_rng(9)
    when = np.arange(0, 3650, 30.0)
    for count, order in itertools.product((4, 5, 7, 8, 12), (1, 2, 3)):
        seen = np.zeros(len(when), bool)
        seen[10 + rng.permutation(14)[:count]] = True
        curve = rng.normal(size=len(when))
        low, high = curve[seen].min(), curve[seen].max()
        said = series(when, curve, seen, order)
        margin = 0.26 * (high - low)
        assert low - margin <= said.min()
        assert said.max() <= high + margin


def test_harmonic_draws_no_trend_through_part_of_a_season() -> None:
    when = np.append(np.arange(0, 400, 16.0), 3650)
    curve = np.cos(2 * np.pi * when / 365.25)
    seen = when < 3650
    assert series(when, curve, seen)[0] == pytest.approx(curve[-1], abs=0.05)


def test_the_halo_is_as_wide_as_the_window() -> None:
    assert Histogram(max_dates=3, window=21).halo == Halo(3, 10, 10)
    assert NSPI(max_dates=2, window=9).halo == Halo(2, 4, 4)
    assert Harmonic().halo == Halo(None, 0, 0)


@rivals
@pytest.mark.parametrize(("days", "said"), [([3.0, 3.0], "day 3"), ([0.0, np.nan], "NaT")])
def test_days_twice_or_missing_are_refused(name: str, days: list[float], said: str) -> None:
    with pytest.raises(SchemaError, match=rf"{name}.*{said}"):
        METHODS[name]().fill(stack([field(), field()], stripe(), days))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("histogram", {"max_dates": 0}),
        ("histogram", {"max_dates": 2.5}),
        ("nspi", {"max_days": float("nan")}),
        ("nspi", {"max_days": "16"}),
        ("nspi", {"max_days": np.timedelta64(16, "D")}),
        ("regression", {"max_days": timedelta(16)}),
        ("regression", {"max_dates": np.timedelta64(6, "D")}),
        ("regression", {"max_days": float("inf")}),
        ("histogram", {"window": 30}),
        ("nspi", {"window": 3}),
        ("histogram", {"common": 1}),
        ("nspi", {"similar": True}),
        ("nspi", {"classes": 0}),
        ("harmonic", {"order": 0}),
        ("harmonic", {"order": "1"}),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object]) -> None:
    (option,) = options
    with pytest.raises(MethodError, match=rf"{name}\({option}="):
        METHODS[name](**options)


@pytest.mark.parametrize("method", [NSPI(), Histogram()])
def test_one_band_missing_far_away_changes_nothing(method: NSPI | Histogram) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(1000, 50, (2, 3, 40, 120)).astype(np.float32)
    context = np.ones(values.shape, bool)
    context[0, :, 14:17] = False
    target = ~context
    other = context.copy()
    other[0, 1, 3, 115] = False  # bands no longer share their gaps, but not within reach
    days = np.array([0.0, 16.0])
    one = method.fill(Task(values, context, target, days)).mean
    two = method.fill(Task(values, other, target, days)).mean
    np.testing.assert_allclose(one[..., :80], two[..., :80], rtol=1e-6)
