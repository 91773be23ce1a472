"""A driver that is killed while it changes the layout of a store, not its blocks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.io.cubes import chunks
from xinpaint.errors import JobError
from xinpaint.io import whole
from xinpaint.io.ledger import Ledger
from xinpaint.io.target import Folder
from xinpaint.io.verify import status

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
BLOCK: dict[str, Any] = {"block": (2, 32, 32), "progress": False}


class Killed(BaseException):
    """Nothing catches it, like a kill."""


def cube(path: Path, dates: int, chunk: int = 1) -> Path:
    """The first dates of a small cube."""
    ds = make(7, 40, 40).isel(time=slice(0, dates))
    ds.chunk(time=chunk, y=32, x=32).to_zarr(path, zarr_format=2, consolidated=True)
    return path


def kill(patched: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Let a function raise when it is called for the so many-th time."""
    real, left = getattr(owner, name), [call]

    def dies(*given: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(*given, **more)

    patched.setattr(owner, name, dies)


@pytest.mark.parametrize(
    "at",
    [(whole, "mend", 1), (whole, "damaged", 1), (Ledger, "flush", 1), (Ledger, "say", 2)],
    ids=["laid out", "looked at", "pending", "told"],
)
@pytest.mark.parametrize("how", ["fill", "verify", "append"])
def test_killed_while_lost_arrays_are_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, at: tuple[Any, str, int]
) -> None:
    src, dst = cube(tmp_path / "a.zarr", 3), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **BLOCK)
    before = chunks(dst)
    shutil.rmtree(dst / "red")
    (dst / "x/c/0").unlink()
    (dst / "zarr.json").write_text("{")

    def go_on() -> bool:
        if how == "fill":
            return xinpaint.fill(src, dst, "fillnodata", **BLOCK).complete
        if how == "append":
            return xinpaint.append(src, dst, progress=False).complete
        return xinpaint.verify(dst, repair=True).ok

    with monkeypatch.context() as patched:
        kill(patched, *at)
        with pytest.raises(Killed):
            go_on()
    assert not Ledger(dst).attrs["complete"]
    assert not status(dst).complete
    assert not xinpaint.verify(dst).ok
    if at[1] != "mend":
        with pytest.raises(JobError, match=r"is unfinished: .* is being laid out again"):
            xinpaint.open_filled(dst, strict=True)
    assert go_on()
    assert xinpaint.verify(dst, deep=True).ok
    assert status(dst).complete
    assert chunks(dst) == before


def test_killed_while_a_lost_array_is_laid_out_in_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    icechunk = pytest.importorskip("icechunk")
    import zarr

    src, dst = cube(tmp_path / "a.zarr", 2), f"icechunk://{tmp_path}/repo"
    xinpaint.fill(src, dst, "fillnodata", **BLOCK)
    before = xinpaint.open_filled(dst, strict=True).compute()
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repo"))
    session = icechunk.Repository.open(storage).writable_session("main")
    del zarr.open_group(session.store, mode="r+")["red"]
    session.commit("lost")
    for owner, name in ((whole, "damaged"), (Ledger, "flush")):
        with monkeypatch.context() as patched:
            kill(patched, owner, name, 1)
            with pytest.raises(Killed):
                xinpaint.fill(src, dst, "fillnodata", **BLOCK)
        assert not status(dst).complete
        assert not xinpaint.verify(dst).ok
    assert xinpaint.verify(dst, repair=True).ok
    xr.testing.assert_identical(xinpaint.open_filled(dst, strict=True).compute(), before)


def test_an_array_that_is_lost_when_the_cube_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three, five, dst = cube(tmp_path / "3", 3), cube(tmp_path / "5", 5), tmp_path / "out.zarr"
    xinpaint.fill(three, dst, "fillnodata", **BLOCK)
    shutil.rmtree(dst / "red")
    with monkeypatch.context() as patched:
        kill(patched, whole, "damaged", 1)
        with pytest.raises(Killed):
            xinpaint.append(five, dst, progress=False)
    assert xinpaint.append(five, dst, progress=False).complete
    xinpaint.fill(five, tmp_path / "fresh.zarr", "fillnodata", **BLOCK)
    assert xinpaint.verify(dst, deep=True).ok
    one, other = (xinpaint.open_filled(p, strict=True) for p in (dst, tmp_path / "fresh.zarr"))
    xr.testing.assert_identical(one.compute(), other.compute())


@pytest.mark.parametrize("name", ["nir/zarr.json", "zarr.json"])
def test_a_lost_block_and_an_array_that_does_not_open(tmp_path: Path, name: str) -> None:
    src, dst, given = cube(tmp_path / "a.zarr", 2), tmp_path / "out.zarr", WindowMean(5)
    xinpaint.fill(src, dst, given, **BLOCK)
    before = chunks(dst)
    (dst / "red/c/0/0/0").unlink()
    (dst / name).write_text("{")
    with pytest.raises(JobError, match=r"pending again: 1 block, .* lay out"):
        xinpaint.verify(dst, repair=True)
    assert xinpaint.fill(src, dst, given, **BLOCK).complete
    assert chunks(dst) == before
    assert xinpaint.verify(dst, deep=True).ok


def test_a_store_that_is_half_grown_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three, five, dst = cube(tmp_path / "3", 3), cube(tmp_path / "5", 5), tmp_path / "out.zarr"
    xinpaint.fill(three, dst, "fillnodata", **BLOCK)
    with monkeypatch.context() as patched:
        kill(patched, Folder, "replace", 1)  # bands are longer, dates are not
        with pytest.raises(Killed):
            xinpaint.append(five, dst, progress=False)
    told = "it is being extended: run append again"
    for strict in (False, True):
        with pytest.raises(JobError, match=told):
            xinpaint.open_filled(dst, strict=strict)
    with pytest.raises(JobError, match=told):
        xinpaint.verify(dst, repair=True)
    with pytest.raises(JobError, match=told):
        xinpaint.fill(three, dst, "fillnodata", **BLOCK)
    for found in (status(dst), xinpaint.verify(dst, deep=True)):
        assert told in str(found)
    assert not status(dst).complete
    assert not xinpaint.verify(dst, deep=True).ok
    assert xinpaint.append(five, dst, progress=False).complete
    assert xinpaint.verify(dst, deep=True).ok


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_cube_grows_again_before_a_killed_append_went_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """A block of old and new dates is done once, and keeps the old ones as they are."""
    dst, given = tmp_path / "out.zarr", WindowMean(5)
    three, five, seven = (cube(tmp_path / str(n), n, chunk) for n in (3, 5, 7))
    xinpaint.fill(three, dst, given, **BLOCK)
    _put(dst, 123)  # not what would be filled now
    with monkeypatch.context() as patched:
        patched.setattr("xinpaint.io.drive.Driver.run", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            xinpaint.append(five, dst, given, progress=False)
    report = xinpaint.append(seven, dst, given, progress=False)
    assert report.complete, report
    red = xinpaint.open_filled(dst, strict=True)["red"].values
    assert (red[2] == 123).all()
    xinpaint.fill(seven, tmp_path / "fresh.zarr", given, **BLOCK)
    fresh = xinpaint.open_filled(tmp_path / "fresh.zarr", strict=True)["red"].values
    np.testing.assert_array_equal(np.delete(red, 2, 0), np.delete(fresh, 2, 0))


def _put(dst: Path, value: int) -> None:
    """Write a value over the last date of a band."""
    import zarr

    zarr.open_array(dst, path="red", mode="r+")[-1] = value


@pytest.mark.parametrize("name", ["failures", "notes"])
def test_causes_that_do_not_read_are_forgotten(tmp_path: Path, name: str) -> None:
    src, dst = cube(tmp_path / "a.zarr", 2), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **BLOCK)
    for text in (b"", b'{"0/0/0": "no', b"[]", b"\xff"):
        (dst / f"fill_status/{name}.json").write_bytes(text)
        assert status(dst).complete
        assert xinpaint.verify(dst, deep=True).ok
        xinpaint.open_filled(dst, strict=True)
    assert xinpaint.fill(src, dst, "fillnodata", **BLOCK).complete
