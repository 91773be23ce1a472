"""Cubes and their dates: who may look along time, and what happens where there is none."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from tests.cube.fillers import TimeMean
from tests.cube.make import make
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import SchemaError
from xinpaint.methods.histogram import Histogram


@dataclass(frozen=True)
class Wish:
    """Answers with the number of dates it may look at."""

    context: str = "auto"
    max_days: float | None = None

    @property
    def halo(self) -> Halo:
        return Halo(0 if self.context == "space" else 2, 3, 3)

    def in_space(self) -> Wish:
        return replace(self, context="space")

    def fill(self, task: Task) -> Fill:
        return Fill(np.full(task.shape, float(self.halo.t or 0), np.float32))


def answer(cube: object, wish: str) -> float:
    made = inpaint(cube, Wish(wish), name="wish")  # type: ignore[arg-type]
    return float(made.red.values[made.red_provenance.values == 2][0])


def test_auto_uses_dates_only_where_there_are_some() -> None:
    ds = make(3, 60, 70, dtype="float32")
    assert answer(ds, "auto") == 2.0
    assert answer(ds, "space") == 0.0
    for without in (
        ds.isel(time=[0]),
        ds.isel(time=0, drop=True),
        ds.isel(time=[0]).drop_vars("time"),
    ):
        assert answer(without, "auto") == 0.0  # and says nothing: warnings are errors here
        with pytest.raises(SchemaError, match="context='time' needs a time dim"):
            answer(without, "time")


def test_several_images_without_dates_are_warned_of() -> None:
    without = make(3, 60, 70, dtype="float32").drop_vars("time")
    said = r"dim 'time' has 3 images but no dates.*ds\.assign_coords\(time=\.\.\.\)"
    with pytest.warns(UserWarning, match=said) as caught:
        assert answer(without, "auto") == 0.0
    assert len(caught) == 1
    assert answer(without, "space") == 0.0
    with pytest.raises(SchemaError, match="context='time' needs a time dim"):
        answer(without, "time")


@pytest.mark.parametrize("wish", ["auto", "time"])
def test_disordered_and_double_dates_are_refused(wish: str) -> None:
    ds = make(3, 60, 70, dtype="float32")
    with pytest.raises(SchemaError, match="sortby"):
        answer(ds.isel(time=[1, 0, 2]), wish)
    with pytest.raises(SchemaError, match="duplicate time"):
        answer(ds.isel(time=[0, 1, 1]), wish)
    assert answer(ds.isel(time=[1, 0, 2]), "space") == 0.0


def test_provenance_does_not_depend_on_chunks_in_time() -> None:
    ds = make(9, 80, 90)
    method = Histogram(max_dates=2)
    whole = inpaint(ds, method, name="histogram")
    for chunk in (2, 3, 4):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "chunks of", UserWarning)
            tiled = inpaint(ds.chunk(time=chunk), method, name="histogram").compute()
        np.testing.assert_array_equal(tiled.red_provenance, whole.red_provenance)
        np.testing.assert_array_equal(tiled.red, whole.red)


def test_nothing_to_look_at_is_said() -> None:
    for ds in (make(1, 40, 50), make(1, 40, 50).isel(time=0, drop=True)):
        with pytest.warns(UserWarning, match="the cube has none"):
            made = inpaint(ds, TimeMean(None), name="time")
        assert not (made.red_provenance == 2).any()


def test_dates_that_are_all_too_far_are_told_of() -> None:
    ds = make(3, 40, 50)  # 16 days apart
    told = r"no two dates lie within max_days = 5 \(the nearest are 16 apart\)"
    with pytest.raises(SchemaError, match=f"context='time', but {told}"):
        inpaint(ds, Wish("time", 5), name="wish")
    with pytest.warns(UserWarning, match=f"{told}, so each is filled from itself alone"):
        inpaint(ds, Wish("auto", 5), name="wish")
    with pytest.warns(UserWarning, match=f"{told}, so nothing can be filled") as caught:
        ds.inpaint.regression(max_days=5)
    assert {one.filename for one in caught} == {__file__}
    made = inpaint(ds, Wish("auto", 16), name="wish")  # says nothing: warnings are errors here
    assert (made.attrs["xinpaint_max_days"], made.attrs["xinpaint_method"]) == ("16", "wish")


def test_numbers_that_look_like_years_are_told_of() -> None:
    ds = make(3, 40, 50).assign_coords(time=[2001, 2002, 2003])
    with pytest.warns(UserWarning, match=r"such as 2001, taken for days; .*format='%Y'") as caught:
        ds.inpaint.regression()
    assert {one.filename for one in caught} == {__file__}
    answer(ds, "space")
    inpaint(ds.assign_coords(time=[1, 17, 2033]), TimeMean(None), name="time")


def test_small_chunks_are_told_of_where_the_user_stands() -> None:
    with pytest.warns(UserWarning, match="are smaller than the method's halo") as caught:
        make(2, 250, 280).chunk(y=50, x=70).inpaint.regression()
    assert [one.filename for one in caught] == [__file__]
    assert "50 along y (merged to 250) and 70 along x (merged to 140)" in str(caught[0].message)


def test_dates_that_are_only_looked_at_are_not_filled() -> None:
    wanted = []

    class Spy(TimeMean):
        def __dask_tokenize__(self) -> str:
            return "spy"

        def fill(self, task: Task) -> Fill:
            wanted.append(task.target.any((1, 2, 3)).sum())
            return super().fill(task)

    inpaint(make(6, 40, 50).chunk(time=3), Spy(2), name="spy").compute(scheduler="synchronous")
    assert wanted == [1] * 6


def test_a_date_without_another_near_it_is_told_of() -> None:
    ds = make(3, 40, 50)
    ds = ds.assign_coords(time=pd.to_datetime(["2003-07-01", "2003-07-09", "2004-07-01"]))
    told = "2004-07-01 has no other date within max_days = 16"
    with pytest.warns(UserWarning, match=f"{told}.* not filled") as caught:
        ds.inpaint.regression(max_days=16)
    assert {one.filename for one in caught} == {__file__}
    with pytest.warns(UserWarning, match=f"{told}.* filled from itself alone"):
        ds.inpaint.convnp(max_days=16, context="time")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.inpaint.convnp(max_days=16)
