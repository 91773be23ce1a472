"""What each classical method does, beyond the contract."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from dask.base import tokenize

from xinpaint.core.task import Task
from xinpaint.core.tiling import Halo, tiles
from xinpaint.errors import MethodError, SchemaError
from xinpaint.methods.table import METHODS

SPATIAL = ["navier_stokes", "telea", "fillnodata", "biharmonic"]
ENDLESS = ["navier_stokes", "telea", "biharmonic"]


def plane(values: np.ndarray, hole: np.ndarray) -> Task:
    """One date, one band."""
    context = ~hole[None, None]
    return Task(values[None, None].astype(np.float32), context, ~context)


@pytest.mark.parametrize("name", SPATIAL)
def test_a_slope_is_continued_through_a_stripe(name: str) -> None:
    rows, cols = np.mgrid[0:48, 0:48]
    truth = 100.0 + 2 * cols + rows
    hole = (cols >= 20) & (cols < 26)
    fill = METHODS[name]().fill(plane(np.where(hole, 0, truth), hole))
    error = np.abs(fill.mean[0, 0] - truth)[4:-4][hole[4:-4]]
    assert error.max() < 8
    assert error.mean() < 4


def test_biharmonic_is_exact_on_a_plane() -> None:
    rows, cols = np.mgrid[0:40, 0:40]
    truth = 5.0 + 2 * cols - rows
    hole = (rows - 20) ** 2 + (cols - 18) ** 2 < 36
    fill = METHODS["biharmonic"]().fill(plane(np.where(hole, 0, truth), hole))
    np.testing.assert_allclose(fill.mean[0, 0][hole], truth[hole], atol=1e-3)


def test_biharmonic_region_by_region_is_the_whole_system() -> None:
    from skimage.restoration import inpaint_biharmonic

    rng = np.random.default_rng(0)
    values = rng.random((40, 44))
    hole = rng.random(values.shape) < 0.2
    hole[20:26, 5:30] = True
    values[hole] = 0.5
    low, high = values[~hole].min(), values[~hole].max()
    expected = inpaint_biharmonic((values - low) / (high - low), hole) * (high - low) + low
    fill = METHODS["biharmonic"]().fill(plane(values, hole))
    np.testing.assert_allclose(fill.mean[0, 0][hole], expected[hole], atol=1e-5)


def test_telea_keeps_sixteen_bits_of_a_narrow_range() -> None:
    cols = np.broadcast_to(np.arange(32), (32, 32))
    truth = 10000 + 0.01 * cols
    hole = (cols >= 14) & (cols < 17)
    fill = METHODS["telea"]().fill(plane(np.where(hole, 0, truth), hole))
    assert np.abs(fill.mean[0, 0] - truth)[hole].max() < 0.05


@pytest.mark.parametrize("smoothing", [0, 2])
@pytest.mark.parametrize("distance", [5, 12.5])
def test_fillnodata_answers_as_far_as_it_may_look(distance: float, smoothing: int) -> None:
    cols = np.broadcast_to(np.arange(80.0), (40, 80))
    hole = cols >= 10
    filler = METHODS["fillnodata"](max_distance=distance, smoothing=smoothing)
    fill = filler.fill(plane(np.where(hole, 0, 7.0), hole))
    known = np.isfinite(fill.mean[0, 0])
    np.testing.assert_array_equal(known, hole & (cols <= 9 + distance))
    np.testing.assert_allclose(fill.mean[0, 0][known], 7.0)


@pytest.mark.parametrize("smoothing", [0, 3])
def test_fillnodata_in_tiles_with_a_short_search(smoothing: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((90, 100))
    hole = rng.random(values.shape) < 0.5
    hole[30:50] = True
    task = plane(values, hole)
    filler = METHODS["fillnodata"](max_distance=12, smoothing=smoothing)
    whole = filler.fill(task).mean[0, 0]
    parts = np.full_like(whole, np.nan)
    for tile in tiles((1, *whole.shape), (1, 23, 31), filler.halo):
        read, trim, write = tile.read[1:], tile.trim[1:], tile.write[1:]
        parts[write] = filler.fill(plane(values[read], hole[read])).mean[0, 0][trim]
    np.testing.assert_allclose(parts[hole], whole[hole], atol=1e-4)


def test_bands_with_different_holes_do_not_mix() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((1, 3, 32, 32)).astype(np.float32)
    hole = rng.random(values.shape) < 0.3
    hole[:, 2] = hole[:, 0]
    for name in SPATIAL:
        filler = METHODS[name]()
        together = filler.fill(Task(values, ~hole, hole))
        for band in range(3):
            one = slice(band, band + 1)
            alone = filler.fill(Task(values[:, one], ~hole[:, one], hole[:, one]))
            np.testing.assert_allclose(
                together.mean[:, one][hole[:, one]], alone.mean[hole[:, one]], atol=1e-6
            )


@pytest.mark.parametrize("name", ENDLESS)
def test_a_given_reach_is_the_halo_and_is_recorded(name: str) -> None:
    filler = METHODS[name](reach=32)
    assert filler.halo == Halo(0, 32, 32)
    assert "32" in filler.attrs["approximate"]
    assert METHODS[name]().halo == Halo(0, None, None)
    assert METHODS[name]().attrs == {}


def cube(values: list[float], days: list[float]) -> Task:
    """One pixel through time; NaN is wanted."""
    series = np.array(values, np.float32)[:, None, None, None]
    hole = np.isnan(series)
    return Task(np.where(hole, -1, series).astype(np.float32), ~hole, hole, np.array(days))


def through_time(values: list[float], days: list[float]) -> list[float]:
    """The answers of linear_time, dates in order."""
    return METHODS["linear_time"]().fill(cube(values, days)).mean[:, 0, 0, 0].tolist()


def test_linear_time_weighs_by_days() -> None:
    answer = through_time([0, np.nan, np.nan, 10], [0, 1, 5, 10])
    assert answer[1:3] == [1, 5]


def test_linear_time_repeats_the_nearest_date_beyond_the_ends() -> None:
    answer = through_time([np.nan, 2, np.nan, 4, np.nan], [0, 10, 20, 30, 99])
    assert [answer[i] for i in (0, 2, 4)] == [2, 3, 4]


def test_linear_time_takes_dates_in_any_order() -> None:
    answer = through_time([10, np.nan, 0], [10, 4, 0])
    assert answer[1] == 4


def test_linear_time_refuses_the_same_time_twice() -> None:
    with pytest.raises(SchemaError, match="dates 1 and 2"):
        through_time([1, np.nan, 3], [0, 16, 16])


def test_linear_time_refuses_a_missing_time() -> None:
    with pytest.raises(SchemaError, match="NaT"):
        through_time([1, np.nan], [0, np.nan])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("navier_stokes", {"radius": 0}),
        ("telea", {"radius": "5"}),
        ("telea", {"radius": float("nan")}),
        ("fillnodata", {"max_distance": -1}),
        ("fillnodata", {"smoothing": True}),
        ("biharmonic", {"reach": 1.5}),
        ("navier_stokes", {"reach": -3}),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, object]) -> None:
    (option,) = options
    with pytest.raises(MethodError, match=rf"{name}\({option}="):
        METHODS[name](**options)


def test_other_options_other_token() -> None:
    assert tokenize(METHODS["telea"](radius=3)) != tokenize(METHODS["telea"](radius=5))


def test_the_table_imports_nothing_heavy() -> None:
    code = (
        "import sys, xinpaint.methods.table\n"
        "heavy = {'cv2', 'rasterio', 'skimage', 'torch', 'scipy'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_fillnodata_hides_that_arrays_lie_nowhere_from_all_threads() -> None:
    import warnings

    from rasterio.errors import NotGeoreferencedWarning

    values = np.ones((1, 1, 20, 20), np.float32)
    gap = np.zeros(values.shape, bool)
    gap[..., 8:12, :] = True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        METHODS["fillnodata"]().fill(Task(values, ~gap, gap))
        # what another thread's call says while this one's end lets warnings through
        told = ("fill.py", 72, "rasterio.fill")
        warnings.warn_explicit("no geotransform", NotGeoreferencedWarning, *told)
    assert not caught


@pytest.mark.parametrize("name", ["telea", "navier_stokes"])
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (2, 2)])
def test_narrow_planes_are_filled_from_themselves_alone(name: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    task = plane(rng.random(shape), rng.random(shape) < 0.3)
    found = set()
    for _ in range(15):  # memory that others have left
        junk = [rng.integers(0, 255, int(n), np.uint8) for n in rng.integers(10, 5000, 200)]
        del junk
        found.add(METHODS[name]().fill(task).mean.tobytes())
    assert len(found) == 1
