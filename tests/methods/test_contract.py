"""Every invariant of a Filler, over every method there is.

A new line in METHODS is tested here by itself.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from dask.base import tokenize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.nets.small import method_of, small
from xinpaint.core.dates import nearest
from xinpaint.core.task import FILLED, OBSERVED, Fill, Task, compose
from xinpaint.core.tiling import tiles
from xinpaint.io.weights import filler
from xinpaint.methods.base import Filler
from xinpaint.methods.histogram import Histogram
from xinpaint.methods.neural import NeuralFiller
from xinpaint.methods.nspi import NSPI
from xinpaint.methods.regression import LocalRegression
from xinpaint.methods.table import METHODS
from xinpaint.nets import frame
from xinpaint.nets.ridge import LEAST
from xinpaint.nets.setconv import local_density

#: Radius of the far window of every net.
FAR = 32
#: Nets that are tested small, on random weights: what must hold, holds for any.
SMALL = ("unet", "partialconv", "ongrid", "convlnp")
NAMES = [*METHODS, "convnp", *SMALL]
MAKE = """
import sys
from dask.base import tokenize
from xinpaint.io.weights import filler
print(tokenize(filler(sys.argv[1])))
"""

every_method = pytest.mark.parametrize("name", NAMES)
seeds = st.integers(0, 2**32 - 1)


def few(count: int) -> settings:
    """`count` examples without a clock: the first call of a net is slow."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def make(name: str) -> Filler:
    """The method as a user gets it."""
    return filler(method_of(name), **small(name)) if name in SMALL else filler(name)


def image(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Smooth fields with edges and noise, differing between bands, about 0 to 1."""
    rng = np.random.default_rng(seed)
    t, b, y, x = shape
    base = ndimage.gaussian_filter(rng.normal(size=(t, 1, y, x)), (0, 0, 4, 4), mode="wrap")
    own = ndimage.gaussian_filter(rng.normal(size=shape), (0, 0, 1, 1), mode="wrap")
    edge = (base > 0) * rng.uniform(-1, 1, (1, b, 1, 1))
    values = 0.5 + base / max(base.std(), 1e-9) * 0.1 + 0.2 * edge + 0.05 * own
    return values.astype(np.float32)


def gap(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Stripes, blobs and single pixels; not the same in each band and date; context remains."""
    rng = np.random.default_rng(seed + 1)
    t, b, y, x = shape
    rows, cols = np.mgrid[0:y, 0:x]
    hole = np.zeros(shape, bool)
    for date in range(t):
        stripes = (rows + rng.uniform(-0.3, 0.3) * cols + rng.integers(16)) % 16 < rng.integers(7)
        hole[date] = stripes
        hole[date] |= rng.random((b, y, x)) < 0.05
        corner = rng.integers(0, max(y, 2)), rng.integers(0, max(x, 2))
        hole[date, :, corner[0] : corner[0] + 9, corner[1] : corner[1] + 9] = True
    hole[..., rng.integers(y), rng.integers(x)] = False
    return hole


def task_of(
    shape: tuple[int, ...], seed: int, *, aside: float = 0.1, origin: tuple[int, int] = (0, 0)
) -> Task:
    """A task whose holes are target, but for some pixels that are neither."""
    rng = np.random.default_rng(seed + 2)
    hole = gap(shape, seed)
    target = hole & (rng.random(shape) >= aside)
    days = np.cumsum(rng.integers(1, 40, shape[0])).astype(np.float64)
    values = np.where(hole, np.float32(rng.uniform(-9, 9)), image(shape, seed))
    return Task(values.astype(np.float32), ~hole, target, days, origin)


shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(24, 64), st.integers(24, 64))
tasks = st.builds(task_of, shapes, seeds)


def same_answer(one: Fill, two: Fill, where: np.ndarray) -> None:
    """Bit for bit, NaN included."""
    np.testing.assert_array_equal(one.mean[where], two.mean[where])
    assert (one.std is None) == (two.std is None)
    if one.std is not None and two.std is not None:
        np.testing.assert_array_equal(one.std[where], two.std[where])


def close_answer(
    one: Fill, two: Fill, where: np.ndarray, tolerance: float, scale: float = 1.0
) -> None:
    """Within `tolerance` of `scale`, NaN in the same places."""
    np.testing.assert_allclose(one.mean[where], two.mean[where], rtol=0, atol=tolerance * scale)
    if one.std is not None and two.std is not None:
        np.testing.assert_allclose(one.std[where], two.std[where], rtol=0, atol=tolerance * scale)


def observable(task: Task, filler: Filler) -> np.ndarray:
    """Target pixels that the filler must answer, in arrays smaller than a method of space's reach.

    Any context in the plane; or, for methods of each pixel's own past, on any date; or, for those
    that compare two dates around the pixel, on a near date with enough pixels around seen on both;
    for nets, enough observed pixels around.
    """
    if isinstance(filler, Histogram):
        return task.target & matched(task, filler, filler.window, filler.common, task.context)
    every = np.broadcast_to(task.context.all(axis=1, keepdims=True), task.shape)
    if isinstance(filler, NSPI):
        return task.target & matched(task, filler, filler.window, filler.similar, every)
    if isinstance(filler, LocalRegression):  # 17 pixels are in the window of every pixel's cell
        return task.target & matched(task, filler, 17, int(LEAST), every)
    if isinstance(filler, NeuralFiller):
        density = local_density(torch.from_numpy(task.context.astype(np.float32)), FAR).numpy()
        return task.target & (density >= frame.LEAST * (2 * FAR + 1) ** 4)
    axes = (0,) if filler.halo.y == 0 else (2, 3)
    return task.target & task.context.any(axis=axes, keepdims=True)


def matched(task: Task, filler: Any, window: int, least: int, usable: np.ndarray) -> np.ndarray:
    """Pixels that a near date saw, with `least` around them seen here and `usable` there."""
    found = np.zeros(task.shape, bool)
    side = np.ones(window, int)
    for date in range(task.shape[0]):
        for other in nearest(task.days, date, filler.max_dates, filler.max_days):
            both = (task.context[date] & usable[other]).astype(int)
            for axis in (1, 2):
                both = ndimage.correlate1d(both, side, axis, mode="constant")
            seen = usable[other] if isinstance(filler, LocalRegression) else task.context[other]
            found[date] |= seen & (both >= least)
    return found


@every_method
@few(6)
@given(task=tasks, seed=seeds)
def test_nothing_outside_the_target_changes(name: str, task: Task, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fill = make(name).fill(task)
    assert fill.mean.shape == task.shape
    assert fill.mean.dtype == np.float32
    wide = task.values.astype(np.float64) + 1e-12 * rng.random(task.shape)
    long = rng.integers(2**24, 2**30, task.shape).astype(np.int32)
    for original in (wide, long):
        done = compose(original, task, fill, nodata=-1)
        assert done.values.dtype == original.dtype
        assert np.all(done.values[~task.target] == original[~task.target])
        assert np.all(done.provenance[task.context] == OBSERVED)
        assert np.all(task.target[done.provenance == FILLED])


@every_method
@few(6)
@given(task=tasks, seed=seeds)
def test_what_is_hidden_does_not_leak(name: str, task: Task, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = make(name).fill(task)
    for secret in (rng.normal(0, 1e6, task.shape), np.full(task.shape, np.nan), np.inf, 0):
        values = np.where(task.context, task.values, secret).astype(np.float32)
        other = Task(values, task.context, task.target, task.days, task.origin)
        same_answer(first, make(name).fill(other), task.target)


@every_method
@few(4)
@given(task=tasks)
def test_inputs_are_untouched(name: str, task: Task) -> None:
    arrays = (task.values, task.context, task.target, task.days)
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    make(name).fill(task)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@every_method
@few(4)
@given(task=tasks)
def test_deterministic_and_picklable(name: str, task: Task) -> None:
    filler = make(name)
    copy = pickle.loads(pickle.dumps(filler))
    first = filler.fill(task)
    same_answer(first, filler.fill(task), task.target)
    same_answer(first, copy.fill(task), task.target)
    assert copy.halo == filler.halo
    assert tokenize(copy) == tokenize(filler)


@pytest.mark.parametrize("name", [*METHODS, "convnp"])
def test_dask_token_is_the_same_in_another_process(name: str) -> None:
    expected = tokenize(make(name))
    run = subprocess.run(
        [sys.executable, "-c", MAKE, name],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == expected


@every_method
@few(6)
@given(shape=shapes, seed=seeds, value=st.sampled_from([0.0, 1.0, -9999.0, 3.7e-5, 65535.0]))
def test_constant_in_constant_out(
    name: str, shape: tuple[int, ...], seed: int, value: float
) -> None:
    drawn = task_of(shape, seed)
    values = np.where(drawn.context, value, -5).astype(np.float32)
    task = Task(values, drawn.context, drawn.target, drawn.days)
    filler = make(name)
    fill = filler.fill(task)
    where = observable(task, filler)
    np.testing.assert_allclose(fill.mean[where], np.float32(value), rtol=1e-6)


@every_method
@few(8)
@given(
    task=tasks,
    gain=st.sampled_from([1e-4, 0.0137, 3.0, 255.0, 1e4]),
    offset=st.floats(-3, 3),
)
def test_affine_in_affine_out(name: str, task: Task, gain: float, offset: float) -> None:
    shift = gain * offset
    values = (task.values.astype(np.float64) * gain + shift).astype(np.float32)
    other = Task(values, task.context, task.target, task.days, task.origin)
    plain, scaled = make(name).fill(task), make(name).fill(other)
    back = (scaled.mean.astype(np.float64) - shift) / gain
    std = None if scaled.std is None else scaled.std / np.float32(gain)
    width = float(np.ptp(task.values[task.context]))
    close_answer(plain, Fill(back.astype(np.float32), std), task.target, 1e-3, width)


@every_method
@few(3)
@given(
    seed=seeds,
    block=st.tuples(st.integers(1, 2), st.integers(57, 97), st.integers(57, 97)),
    origin=st.tuples(st.integers(0, 999), st.integers(0, 999)),
)
def test_tiled_is_whole(
    name: str, seed: int, block: tuple[int, int, int], origin: tuple[int, int]
) -> None:
    filler = make(name)
    task = task_of((2, 2, 171, 187), seed, origin=origin)
    whole = filler.fill(task)
    mean = np.full(task.shape, np.nan, np.float32)
    std = None if whole.std is None else mean.copy()
    for tile in tiles((2, 171, 187), block, filler.halo):
        (t, y, x), (a, b, c), (u, v, w) = tile.read, tile.trim, tile.write
        part = Task(
            *(
                np.ascontiguousarray(m[t, :, y, x])
                for m in (task.values, task.context, task.target)
            ),
            days=task.days[t],
            origin=(origin[0] + y.start, origin[1] + x.start),
        )
        answer = filler.fill(part)
        mean[u, :, v, w] = answer.mean[a, :, b, c]
        if std is not None and answer.std is not None:
            std[u, :, v, w] = answer.std[a, :, b, c]
    width = float(np.ptp(task.values[task.context]))
    close_answer(whole, Fill(mean, std), task.target, 1e-4, width)


@every_method
@few(8)
@given(task=tasks)
def test_finite_wherever_context_is_in_reach(name: str, task: Task) -> None:
    filler = make(name)
    fill = filler.fill(task)
    where = observable(task, filler)
    assert np.all(np.isfinite(fill.mean[where]))
    if fill.std is not None:
        assert np.all(np.isfinite(fill.std[where]))
        assert np.all(fill.std[where] >= 0)


@every_method
@few(4)
@given(seed=seeds, y=st.integers(0, 39), x=st.integers(0, 39))
def test_one_observed_pixel_says_all_or_nothing(name: str, seed: int, y: int, x: int) -> None:
    context = np.zeros((1, 1, 40, 40), bool)
    context[..., y, x] = True
    task = Task(image(context.shape, seed), context, ~context)
    filler = make(name)
    fill = filler.fill(task)
    where = observable(task, filler)
    np.testing.assert_allclose(fill.mean[where], task.values[0, 0, y, x], rtol=1e-5)
    if fill.std is not None:  # who says how sure he is cannot know it from one pixel
        assert np.isnan(fill.mean[task.target]).all()


@every_method
def test_without_context_nobody_knows(name: str) -> None:
    empty = np.zeros((2, 3, 24, 31), bool)
    task = Task(np.zeros(empty.shape, np.float32), empty, ~empty, np.array([0.0, 16.0]))
    fill = make(name).fill(task)
    assert np.all(np.isnan(fill.mean))


@every_method
def test_one_empty_band_leaves_the_others_alone(name: str) -> None:
    task = task_of((1, 3, 40, 40), 5)
    context = task.context.copy()
    context[:, 1] = False
    filler = make(name)
    fill = filler.fill(Task(task.values, context, task.target))
    assert np.all(np.isnan(fill.mean[:, 1]))
    where = observable(Task(task.values, context, task.target), filler)
    assert np.all(np.isfinite(fill.mean[where]))


@every_method
def test_nothing_wanted_is_nothing_done(name: str) -> None:
    context = np.ones((1, 2, 24, 24), bool)
    task = Task(image(context.shape, 1), context, ~context)
    fill = make(name).fill(task)
    done = compose(task.values, task, fill)
    np.testing.assert_array_equal(done.values, task.values)


@every_method
@pytest.mark.parametrize(
    "shape", [(1, 1, 24, 24), (1, 13, 24, 24), (4, 2, 24, 24), (1, 1, 1, 24), (1, 2, 5, 3)]
)
def test_any_shape(name: str, shape: tuple[int, ...]) -> None:
    task = task_of(shape, 3)
    filler = make(name)
    fill = filler.fill(task)
    assert fill.mean.shape == shape
    assert np.all(np.isfinite(fill.mean[observable(task, filler)]))


@every_method
@few(4)
@given(seed=seeds, order=st.permutations(range(4)))
def test_the_order_of_bands_means_nothing(name: str, seed: int, order: list[int]) -> None:
    task = task_of((1, 4, 48, 48), seed)
    parts = (task.values, task.context, task.target)
    other = Task(*(np.ascontiguousarray(m[:, order]) for m in parts), task.days, task.origin)
    one, two = make(name).fill(task), make(name).fill(other)
    std = None if one.std is None else one.std[:, order]
    width = float(np.ptp(task.values[task.context]))
    close_answer(Fill(one.mean[:, order], std), two, other.target, 1e-4, width)
