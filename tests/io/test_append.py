"""A store grows with its cube; what was filled before keeps its bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import TimeMean, WindowMean
from tests.io.cubes import Breaks, chunks, flip, source
from xinpaint.errors import JobError
from xinpaint.io import append as appending
from xinpaint.io.ledger import Ledger
from xinpaint.io.target import Folder
from xinpaint.methods.base import Filler

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
BLOCK = (2, 72, 72)


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cube of seven dates; `first` cuts it."""
    folder = tmp_path_factory.mktemp("append")
    source(folder / "by-date.zarr", t=7, y=80, x=60)
    return first(folder / "by-date.zarr", folder / "cube.zarr", 7)


def first(src: Path, dst: Path, dates: int) -> Path:
    """The same cube when it had fewer dates."""
    if not dst.exists():
        ds = xr.open_zarr(src, decode_coords="all", chunks={}).isel(time=slice(0, dates))
        ds["platform"] = ds["platform"].astype("U2" if dates < 5 else "U9")
        ds.chunk(time=2, y=72, x=72).drop_encoding().to_zarr(dst, zarr_format=2, consolidated=True)
    return dst


def growing(src: Path, tmp_path: Path, filler: Filler, block: tuple[int, int, int]) -> Path:
    """Three dates, then five, then seven."""
    dst = tmp_path / "filled.zarr"
    three, five = (first(src, tmp_path / f"{n}.zarr", n) for n in (3, 5))
    assert xinpaint.fill(three, dst, filler, block=block, progress=False).complete
    old = xinpaint.open_filled(dst, strict=True).load()
    report = xinpaint.append(five, dst, filler, progress=False)
    assert report.complete, report
    middle = xinpaint.open_filled(dst, strict=True).load()
    assert middle.sizes["time"] == 5
    xr.testing.assert_identical(
        middle.isel(time=slice(0, 3)).drop_vars("platform"), old.drop_vars("platform")
    )
    assert xinpaint.append(src, dst, filler, progress=False).complete
    return dst


def test_new_dates_are_those_of_a_fresh_fill(src: Path, tmp_path: Path) -> None:
    filler = WindowMean(5)
    dst = growing(src, tmp_path, filler, BLOCK)
    xinpaint.fill(src, tmp_path / "fresh.zarr", filler, block=BLOCK, progress=False)
    # a method of space alone: not even the chunks that hold old and new dates differ
    assert {k: v for k, v in chunks(dst).items() if not k.startswith("time/")} == {
        k: v for k, v in chunks(tmp_path / "fresh.zarr").items() if not k.startswith("time/")
    }
    one, other = (
        xinpaint.open_filled(place, strict=True).load() for place in (dst, tmp_path / "fresh.zarr")
    )
    xr.testing.assert_identical(one, other)
    assert xinpaint.verify(dst, deep=True).ok
    ledger = Ledger(dst)
    assert ledger.attrs["job"]["dates"] == [3, 5, 7]
    assert [entry["dates"] for entry in ledger.attrs["history"]] == [3, 5, 7]
    again = xinpaint.append(src, dst, filler, progress=False)
    assert (again.done, again.complete) == (0, True)
    assert xinpaint.fill(src, dst, filler, progress=False).done == 0


def test_only_new_blocks_and_dates_are_done(src: Path, tmp_path: Path) -> None:
    dst, three = tmp_path / "filled.zarr", first(src, tmp_path / "3.zarr", 3)
    xinpaint.fill(three, dst, WindowMean(5), block=BLOCK, progress=False)
    before = chunks(dst)
    report = xinpaint.append(first(src, tmp_path / "5.zarr", 5), dst, WindowMean(5), progress=False)
    assert report.done == 2 * 2  # the row of blocks that holds date 3, and that of date 4
    after = chunks(dst)
    assert all(after[key] == before[key] for key in before if "/c/0/" in key)


@pytest.mark.parametrize("reach", [1, None], ids=["neighbour dates", "all dates"])
def test_an_old_date_never_sees_what_came_later(
    src: Path, tmp_path: Path, reach: int | None
) -> None:
    block = (2, 72, 72) if reach else (3, 72, 72)
    dst = growing(src, tmp_path, TimeMean(reach), block)
    opened = xinpaint.open_filled(dst, strict=True).load()
    done = 0
    for dates in (3, 5, 7):
        cube = first(src, tmp_path / f"{dates}.zarr", dates)
        fresh = tmp_path / f"fresh-{dates}.zarr"
        xinpaint.fill(cube, fresh, TimeMean(reach), block=(dates, 72, 72), progress=False)
        expected = xinpaint.open_filled(fresh, strict=True)["red"].load()
        np.testing.assert_array_equal(opened["red"][done:dates], expected[done:dates])
        done = dates


def test_damage_to_a_block_of_old_and_new_dates(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "filled.zarr"
    for number in (3, 5):
        cube = first(src, tmp_path / f"{number}.zarr", number)
        if number == 3:
            xinpaint.fill(cube, dst, "linear_time", block=(3, 72, 72), progress=False)
        else:
            xinpaint.append(cube, dst, progress=False)
    xinpaint.append(src, dst, progress=False)
    before = chunks(dst)
    edge = dst / "red" / "c" / "1" / "0" / "0"  # dates 3 and 4 of the one, 5 of the other
    edge.write_bytes(edge.read_bytes()[:-3])
    flip(dst / "nir" / "c" / "2" / "1" / "0", 99)
    mended = xinpaint.verify(dst, deep=True, repair=True)
    assert (mended.corrupted, mended.repaired, mended.ok) == (("1/0/0", "2/1/0"), 2, True)
    assert chunks(dst) == before


def test_killed_while_it_grows(src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after each step of growing, it can be done again, and ends the same."""
    dst, three = tmp_path / "filled.zarr", first(src, tmp_path / "3.zarr", 3)
    xinpaint.fill(three, dst, WindowMean(5), block=BLOCK, progress=False)
    shutil.copytree(dst, tmp_path / "aside.zarr")
    xinpaint.append(src, dst, WindowMean(5), progress=False)
    whole = chunks(dst)

    class Stopped(BaseException):
        """Nothing catches it, like a kill."""

    for at in (1, 3, 4, 6, 7):
        shutil.rmtree(dst)
        shutil.copytree(tmp_path / "aside.zarr", dst)
        steps = [0]

        def step(real, steps=steps, at=at):
            def counted(*given, **more):
                steps[0] += 1
                if steps[0] == at:
                    raise Stopped
                return real(*given, **more)

            return counted

        with monkeypatch.context() as patched:
            for name in ("begin_growth", "end_growth", "say", "flush"):
                patched.setattr(Ledger, name, step(getattr(Ledger, name)))
            patched.setattr(Folder, "replace", step(Folder.replace))
            with pytest.raises(Stopped):
                xinpaint.append(src, dst, WindowMean(5), progress=False)
        assert all(chunks(dst)[key] == whole[key] for key in chunks(dst) if "/c/0/" in key)
        assert not Ledger(dst).finished or not Ledger(dst).attrs["complete"] or at < 3
        assert xinpaint.append(src, dst, WindowMean(5), progress=False).complete
        assert chunks(dst) == whole
    assert xinpaint.verify(dst, deep=True).ok


def test_a_failed_edge_is_done_anew(src: Path, tmp_path: Path) -> None:
    flag, dst = tmp_path / "flag", tmp_path / "filled.zarr"
    three = first(src, tmp_path / "3.zarr", 3)
    filler = Breaks(5, flag=str(flag))
    xinpaint.fill(three, dst, filler, block=BLOCK, progress=False)
    flag.touch()
    report = xinpaint.append(src, dst, filler, progress=False)
    assert set(report.failures) == {"1/1/0", "2/1/0", "3/1/0"}
    flag.unlink()
    assert xinpaint.append(src, dst, filler, retry_failed=True, progress=False).complete
    xinpaint.fill(src, tmp_path / "fresh.zarr", WindowMean(5), block=BLOCK, progress=False)
    there, fresh = chunks(dst), chunks(tmp_path / "fresh.zarr")
    assert all(there[key] == fresh[key] for key in fresh if key.startswith(("red", "nir")))


def test_what_cannot_be_appended(src: Path, tmp_path: Path) -> None:
    dst, three = tmp_path / "filled.zarr", first(src, tmp_path / "3.zarr", 3)
    xinpaint.fill(three, dst, WindowMean(5), block=BLOCK, progress=False)
    before = chunks(dst)
    with pytest.raises(JobError, match=r"had \[3\] dates, it has 7 now: use append"):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    ds = xr.open_zarr(src, decode_coords="all", chunks={})
    for name, other in {
        "between": ds.isel(time=[0, 1, 3, 2, 4]),
        "attrs": ds.assign(red=ds["red"].assign_attrs(units="DN")),
    }.items():
        other.to_zarr(tmp_path / f"{name}.zarr", zarr_format=2, consolidated=True)
        with pytest.raises(JobError, match=r"the first 3 dates of .* are not those"):
            xinpaint.append(tmp_path / f"{name}.zarr", dst, WindowMean(5), progress=False)
    with pytest.raises(JobError, match="give it again as method="):
        xinpaint.append(src, dst, progress=False)
    with pytest.raises(JobError, match=r"different are .* 'WindowMean' there, 'TimeMean' now"):
        xinpaint.append(src, dst, TimeMean(), progress=False)
    xinpaint.append(src, dst, WindowMean(5), progress=False)
    with pytest.raises(JobError, match=r"shape: \[7, 80, 60\] there, \[3, 80, 60\] now"):
        xinpaint.append(three, dst, WindowMean(5), progress=False)
    with pytest.raises(JobError, match="no output of a fill job"):
        appending.append(src, tmp_path / "nothing.zarr", WindowMean(5), progress=False)
    assert all(chunks(dst)[key] == before[key] for key in before if "/c/0/" in key)


def test_the_same_fill_of_a_cube_that_grew(src: Path, tmp_path: Path) -> None:
    """The block may be said as it was at first, and another one is told as such."""
    dst, three = tmp_path / "filled.zarr", first(src, tmp_path / "3.zarr", 3)
    asked = (8, 72, 72)  # cut to three dates
    xinpaint.fill(three, dst, WindowMean(5), block=asked, progress=False)
    xinpaint.append(src, dst, WindowMean(5), progress=False)
    for block in (None, 72, asked, (3, 72, 72)):
        again = xinpaint.fill(src, dst, WindowMean(5), block=block, progress=False)
        assert (again.complete, again.done) == (True, 0)
    other = r"Different: block: \[3, 72, 60\] there, \[3, 40, 40\] now$"
    with pytest.raises(JobError, match=other):
        xinpaint.fill(src, dst, WindowMean(5), block=40, progress=False)
    with pytest.raises(JobError, match=r"block: \[3, 72, 60\] there, \[2, 72, 60\] now$"):
        xinpaint.fill(src, dst, WindowMean(5), block=(2, 72, 72), progress=False)
    with pytest.raises(JobError, match=r"Different: .*shape: \[7, 80, 60\] there, \[3, 80, 60\]"):
        xinpaint.fill(three, dst, WindowMean(5), progress=False)
