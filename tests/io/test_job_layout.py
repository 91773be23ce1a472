"""Stores whose arrays are not as the job laid them out: lost, copied in other chunks, added to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.make import make
from tests.io.cubes import chunks
from tests.io.test_job_cut import Killed, kill
from xinpaint.errors import JobError
from xinpaint.io import whole
from xinpaint.io.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
GIVEN: dict[str, Any] = {"block": (2, 64, 64), "progress": False}


def cube(path: Path, chunk: tuple[int, int, int] = (2, 64, 32), dates: int = 2) -> Path:
    """The first dates of a small cube, in chunks, in place of what is there."""
    shutil.rmtree(path, ignore_errors=True)
    ds = make(3, 128, 128).isel(time=slice(0, dates))
    ds = ds.chunk(dict(zip(("time", "y", "x"), chunk, strict=True)))
    ds.to_zarr(path, zarr_format=2, consolidated=True)
    return path


def of_an_earlier_version(dst: Path) -> None:
    """As before stores said how their arrays are cut."""
    ledger = Ledger(dst)
    ledger.say({"arrays": sorted(ledger.attrs["arrays"])})


@pytest.mark.parametrize("how", ["fill", "verify"])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_lost_array_of_a_source_that_was_chunked_anew(
    tmp_path: Path, how: str, earlier: bool
) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    before = xinpaint.open_filled(dst, strict=True).compute()
    if earlier:
        of_an_earlier_version(dst)
    cube(src, (2, 32, 64))  # chunks of as many bytes
    (dst / "red/zarr.json").unlink()
    if how == "verify":
        assert xinpaint.verify(dst, deep=True, repair=True).ok
    else:
        report = xinpaint.fill(src, dst, "fillnodata", **GIVEN)
        assert report.done == (4 if earlier else 0)
    xr.testing.assert_identical(xinpaint.open_filled(dst, strict=True).compute(), before)
    said = {True: [2, 32, 64], False: [2, 64, 32]}[earlier]
    assert Ledger(dst).attrs["arrays"]["red"] == {"chunks": said}
    assert Ledger(dst).attrs["arrays"]["nir"] == {"chunks": [2, 64, 32]}


@pytest.mark.parametrize("at", ["erase_all", "damaged"])
def test_killed_while_chunks_of_nobody_knows_what_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    before = xinpaint.open_filled(dst, strict=True).compute()
    of_an_earlier_version(dst)
    cube(src, (2, 32, 64))
    (dst / "red/zarr.json").unlink()
    with monkeypatch.context() as patched:
        kill(patched, whole, at, 1)
        with pytest.raises(Killed):
            xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    assert xinpaint.fill(src, dst, "fillnodata", **GIVEN).complete
    xr.testing.assert_identical(xinpaint.open_filled(dst, strict=True).compute(), before)


def test_a_store_of_an_earlier_version_says_its_chunks_when_it_is_resumed(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    said = Ledger(dst).attrs["arrays"]
    of_an_earlier_version(dst)
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    assert Ledger(dst).attrs["arrays"] == said


def copied(dst: Path, to: Path, chunk: tuple[int, int, int]) -> Path:
    """A store as xarray writes it in other chunks."""
    opened = xr.open_zarr(dst, decode_coords="all")
    for variable in opened.variables.values():
        for key in ("chunks", "preferred_chunks", "shards", "compressors"):
            variable.encoding.pop(key, None)
    sides = dict(zip(("time", "y", "x"), chunk, strict=True))
    opened.load().chunk(sides).to_zarr(to, zarr_format=3)
    return to


@pytest.mark.filterwarnings("ignore:.* was begun from")
def test_a_copy_in_chunks_that_blocks_would_share_is_refused(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    copy = copied(dst, tmp_path / "copy.zarr", (1, 128, 128))
    before = chunks(copy)
    told = r"in files of \(1, 128, 128\) pixels, of which a block of \(2, 64, 64\)"
    with pytest.raises(JobError, match=told):
        xinpaint.fill(src, copy, "fillnodata", **GIVEN)
    longer = cube(tmp_path / "b.zarr", dates=3)
    with pytest.raises(JobError, match=told):
        xinpaint.append(longer, copy, progress=False)
    assert chunks(copy) == before
    assert not Ledger(copy).attrs.get("growing")
    whole_ones = copied(dst, tmp_path / "other.zarr", (1, 32, 64))
    (whole_ones / "red/zarr.json").unlink()
    (whole_ones / "nir/c/0/0/0").unlink()
    assert xinpaint.verify(whole_ones, deep=True, repair=True).ok
    assert xinpaint.append(longer, whole_ones, progress=False).complete
    xinpaint.fill(longer, tmp_path / "fresh.zarr", "fillnodata", **GIVEN)
    one, other = (xinpaint.open_filled(p) for p in (whole_ones, tmp_path / "fresh.zarr"))
    for name in ("red", "nir", "red_provenance"):
        np.testing.assert_array_equal(one[name].values, other[name].values)


def test_a_variable_of_the_users_own_along_time_is_named_before_the_store_grows(
    tmp_path: Path,
) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    xr.Dataset({"cloud": ("time", [0.1, 0.2])}).to_zarr(dst, mode="a")
    longer = cube(tmp_path / "b.zarr", dates=3)
    with pytest.raises(JobError, match=r"has \['cloud'\], which the job did not write, along time"):
        xinpaint.append(longer, dst, progress=False)
    assert xinpaint.open_filled(dst, strict=True).sizes["time"] == 2
    shutil.rmtree(dst / "cloud")
    assert xinpaint.append(longer, dst, progress=False).complete
