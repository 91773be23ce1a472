"""A filled store in an icechunk repository: what is committed is there, with its status."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import Breaks, source
from xinpaint.errors import JobError
from xinpaint.io import drive, job
from xinpaint.io.engine import Threads
from xinpaint.io.ledger import Ledger
from xinpaint.io.verify import status
from xinpaint.io.work import run_block

icechunk = pytest.importorskip("icechunk")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
BLOCK = (1, 72, 72)  # 8 blocks


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("commits") / "cube.zarr"
    source(path, t=2, y=100, x=100)
    return path


@pytest.fixture(scope="module")
def plain(src: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The same job into a folder."""
    dst = tmp_path_factory.mktemp("plain") / "filled.zarr"
    xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    return xinpaint.open_filled(dst, strict=True).compute()


def messages(folder: Path) -> list[str]:
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(folder)))
    return [one.message for one in repository.ancestry(branch="main")]


def test_as_in_a_folder_and_a_commit_a_batch(
    src: Path, tmp_path: Path, plain: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "FLUSH_BLOCKS", 3)
    dst, flag = f"icechunk://{tmp_path}/repo", tmp_path / "flag"
    flag.touch()
    given: dict[str, Any] = {"block": BLOCK, "progress": False}
    broken = Breaks(5, flag=str(flag))
    report = xinpaint.fill(src, dst, broken, **given)
    assert set(report.failures) == {"0/1/0", "1/1/0"}
    assert status(dst).failures == dict(report.failures)
    with pytest.warns(UserWarning, match="0 of 8 blocks are pending, 2 failed"):
        xinpaint.open_filled(dst)
    assert any(message.endswith(" blocks") for message in messages(tmp_path / "repo"))
    flag.unlink()
    assert xinpaint.fill(src, dst, broken, retry_failed=True, **given).complete
    opened = xinpaint.open_filled(dst, strict=True).compute()
    xr.testing.assert_equal(opened, plain)
    assert xinpaint.verify(dst, deep=True).ok
    with pytest.raises(JobError, match="Different: block"):
        xinpaint.fill(src, dst, broken, block=100, progress=False)


class Killed(BaseException):
    """Nothing catches it; the driver leaves no word behind."""


def test_what_was_not_committed_is_done_again(
    src: Path, tmp_path: Path, plain: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dst, note, flush, left = f"icechunk://{tmp_path}/repo", drive.Driver._note, Ledger.flush, [5]

    def dies(driver: drive.Driver, *given: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            monkeypatch.setattr(Ledger, "flush", lambda *_, **__: None)
            raise Killed
        note(driver, *given)
        if left[0] == 2:
            flush(driver.ledger)  # three are committed, two more are not

    monkeypatch.setattr(drive.Driver, "_note", dies)
    with pytest.raises(Killed):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    monkeypatch.undo()
    before = Ledger(dst)
    assert before.counts()["filled"] == 3
    with pytest.warns(UserWarning, match="unfinished"):
        part = xinpaint.open_filled(dst).compute()
    for t, y, x in np.argwhere(before.status == 0):  # nothing of them is there
        spot = {"time": [t], "y": slice(72 * y, 72 * y + 72), "x": slice(72 * x, 72 * x + 72)}
        assert not part["red_provenance"].isel(spot).any()
    report = xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    assert (report.done, report.complete) == (5, True)
    xr.testing.assert_equal(xinpaint.open_filled(dst, strict=True).compute(), plain)


class Far(Threads):
    """Threads that are told everything in bytes, as processes are."""

    def submit(self, job: Any, index: Any) -> Any:
        sent = pickle.dumps(job)
        return self._pool.submit(
            lambda: pickle.loads(pickle.dumps(run_block(pickle.loads(sent), index)))
        )


def test_a_repository_and_workers_elsewhere(
    src: Path, tmp_path: Path, plain: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "engine", lambda *_: Far(2))
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repo"))
    repository = icechunk.Repository.create(storage)
    given: dict[str, Any] = {"block": BLOCK, "shards": 36, "progress": False}
    assert xinpaint.fill(src, repository, WindowMean(5), **given).complete
    xr.testing.assert_equal(xinpaint.open_filled(repository, strict=True).compute(), plain)
    assert xinpaint.verify(repository, deep=True).ok


@pytest.mark.slow
def test_processes(src: Path, tmp_path: Path, plain: xr.Dataset) -> None:
    dst = f"icechunk://{tmp_path}/repo"
    report = xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, workers=2, progress=False)
    assert report.complete, report
    xr.testing.assert_equal(xinpaint.open_filled(dst, strict=True).compute(), plain)


def test_a_longer_cube(tmp_path: Path) -> None:
    source(tmp_path / "all.zarr", t=3, y=60, x=60)
    ds = xr.open_zarr(tmp_path / "all.zarr", decode_coords="all", chunks={}).drop_encoding()
    for dates in (2, 3):
        part = ds.isel(time=slice(0, dates))
        part.to_zarr(tmp_path / f"{dates}.zarr", zarr_format=2, consolidated=True)
    dst, whole = f"icechunk://{tmp_path}/repo", tmp_path / "whole.zarr"
    given = {"block": (2, 60, 60), "progress": False}
    xinpaint.fill(tmp_path / "2.zarr", dst, WindowMean(5), **given)
    assert xinpaint.append(tmp_path / "3.zarr", dst, WindowMean(5), progress=False).complete
    xinpaint.fill(tmp_path / "3.zarr", whole, WindowMean(5), **given)
    one, other = (xinpaint.open_filled(place, strict=True).compute() for place in (dst, whole))
    xr.testing.assert_equal(one, other)


def test_places_that_are_refused(src: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("x")
    for dst, told in [
        (f"icechunk://{tmp_path}/other", "no output of a fill job"),
        (f"icechunk://{src}/inside", "outside of the source"),
        ("icechunk://gs://bucket/prefix", "give icechunk://PATH"),
    ]:
        with pytest.raises(JobError, match=told):
            xinpaint.fill(src, dst, WindowMean(5), progress=False)
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["precious"]
    with pytest.raises(JobError, match="is no output of a fill job"):
        status(f"icechunk://{tmp_path}/nothing")
    assert not (tmp_path / "nothing").exists()
