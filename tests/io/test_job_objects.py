"""Source and output in object stores: memory, and an S3 server of the test's own."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import Breaks, chunks, source
from xinpaint.cli import main
from xinpaint.errors import DataError, JobError
from xinpaint.io import drive, lease
from xinpaint.io.ledger import Ledger
from xinpaint.io.objects import unsaid
from xinpaint.io.target import target
from xinpaint.io.verify import status

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
BLOCK = (1, 72, 72)  # 8 blocks
SECRET = {"key": "AKIDNOTSAID", "secret": "notsaideither"}


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("objects") / "cube.zarr"
    source(path, t=2, y=100, x=100)
    return path


@pytest.fixture(scope="module")
def whole(src: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The chunks of the same job in a folder."""
    dst = tmp_path_factory.mktemp("whole") / "filled.zarr"
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).complete
    return chunks(dst)


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SETTLE", 0.0)


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    """Storage options of an S3 server on this machine, with a bucket ``cubes``."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    options = {**SECRET, "endpoint_url": f"http://{host}:{port}"}
    fsspec.filesystem("s3", **options).mkdir("cubes")
    yield options
    running.stop()


def objects(url: str, options: dict[str, Any]) -> dict[str, bytes]:
    """Every object below a URL, by its path there."""
    fs, root = fsspec.url_to_fs(url, **options)
    fs.invalidate_cache()
    return {path[len(root) :].strip("/"): fs.cat_file(path) for path in fs.find(root)}


def blocks(url: str, options: dict[str, Any]) -> dict[str, bytes]:
    found = objects(url, options)
    return {k: v for k, v in found.items() if "/c/" in f"{k}/" and "fill_status" not in k}


def upload(src: Path, url: str, options: dict[str, Any]) -> None:
    fs, root = fsspec.url_to_fs(url, **options)
    for file in src.rglob("*"):
        if file.is_file():
            fs.pipe_file(f"{root}/{file.relative_to(src).as_posix()}", file.read_bytes())


def test_from_s3_to_s3(src: Path, s3: dict[str, Any], whole: dict[str, bytes]) -> None:
    cube, dst = "s3://cubes/cube.zarr", "s3://cubes/filled.zarr"
    upload(src, cube, s3)
    given: dict[str, Any] = {"block": BLOCK, "storage_options": s3, "progress": False}
    report = xinpaint.fill(cube, dst, WindowMean(5), **given)
    assert report.complete, report
    assert blocks(dst, s3) == whole
    there = objects(dst, s3)
    assert "fill_status/lock" not in there and "fill_status/begun.json" not in there
    told = [repr(report), repr(Ledger(target(dst, s3)).attrs), repr(target(dst, s3))]
    for secret in SECRET.values():
        assert not [name for name, data in there.items() if secret.encode() in data]
        assert not [text for text in told if secret in text]
    assert xinpaint.fill(cube, dst, WindowMean(5), **given).done == 0
    opened = xinpaint.open_filled(dst, strict=True, storage_options=s3)
    assert (opened["red_provenance"] > 0).any()
    found = xinpaint.verify(dst, deep=True, storage_options=s3)
    assert found.ok, found
    assert status(dst, storage_options=s3).complete


def test_damage_in_s3_is_mended(src: Path, s3: dict[str, Any]) -> None:
    dst = "s3://cubes/mended.zarr"
    given: dict[str, Any] = {"block": (1, 100, 100), "shards": 50, "storage_options": s3}
    xinpaint.fill(src, dst, "fillnodata", progress=False, **given)
    before = blocks(dst, s3)
    fs, root = fsspec.url_to_fs(dst, **s3)
    bad = bytearray(before["red/c/1/0/0"])
    bad[-3] ^= 1
    fs.pipe_file(f"{root}/red/c/1/0/0", bytes(bad))
    fs.rm_file(f"{root}/nir/c/0/0/0")
    fs.rm_file(f"{root}/x/c/0")
    mended = xinpaint.verify(dst, deep=True, repair=True, storage_options=s3)
    assert (mended.missing, mended.corrupted) == (("0/0/0", "x"), ("1/0/0",))
    assert mended.ok
    assert blocks(dst, s3) == before


class Killed(BaseException):
    """Nothing catches it; the driver leaves no word behind."""


@pytest.mark.parametrize("after", [0, 5])
def test_killed_and_gone_on(
    src: Path, memory: Any, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    dst, note, left = "memory://job/filled.zarr", drive.Driver._note, [after]

    def dies(driver: drive.Driver, *given: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            monkeypatch.setattr(Ledger, "flush", lambda *_, **__: None)
            raise Killed
        note(driver, *given)

    monkeypatch.setattr(drive, "FLUSH_BLOCKS", 2)
    monkeypatch.setattr(drive.Driver, "_note", dies)
    with pytest.raises(Killed):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(lease, "SETTLE", 0.0)
    there, marked = blocks(dst, {}), Ledger(dst).status
    for key in (key for key in whole if key.count("/") == 4):
        if marked[tuple(map(int, key.split("/")[-3:]))] in (1, 2):
            assert there[key] == whole[key]
    report = xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    assert report.complete
    assert report.done >= 8 - after
    assert blocks(dst, {}) == whole


def test_a_layout_that_was_cut_short(
    src: Path, memory: Any, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    dst, pipe, left = "memory://job/filled.zarr", type(memory).pipe_file, [9]

    def dies(fs: Any, path: str, *given: Any, **more: Any) -> None:
        left[0] -= 1
        if left[0] < 0 and not path.endswith("lock"):
            raise Killed
        pipe(fs, path, *given, **more)

    monkeypatch.setattr(type(memory), "pipe_file", dies)
    with pytest.raises(Killed):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    monkeypatch.setattr(type(memory), "pipe_file", pipe)
    assert memory.exists("/job/filled.zarr") and not target(dst).ours()
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).complete
    assert blocks(dst, {}) == whole


def test_a_longer_cube(tmp_path: Path, memory: Any) -> None:
    source(tmp_path / "all.zarr", t=3, y=60, x=60)
    ds = xr.open_zarr(tmp_path / "all.zarr", decode_coords="all", chunks={}).drop_encoding()
    for dates in (2, 3):
        part = ds.isel(time=slice(0, dates))
        part.to_zarr(tmp_path / f"{dates}.zarr", zarr_format=2, consolidated=True)
    dst, folder = "memory://job/filled.zarr", tmp_path / "whole.zarr"
    given = {"block": (2, 60, 60), "progress": False}
    xinpaint.fill(tmp_path / "2.zarr", dst, WindowMean(5), **given)
    assert xinpaint.append(tmp_path / "3.zarr", dst, WindowMean(5), progress=False).complete
    xinpaint.fill(tmp_path / "3.zarr", folder, WindowMean(5), **given)
    assert {k: v for k, v in blocks(dst, {}).items() if k.count("/") == 4} == {
        k: v for k, v in chunks(folder).items() if k.count("/") == 4
    }


def test_one_driver_at_a_time(src: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dst, lock = "memory://job/filled.zarr", "/job/filled.zarr/fill_status/lock"
    given: dict[str, Any] = {"block": BLOCK, "progress": False}
    with target(dst).locked(), pytest.raises(JobError, match=f"by process {os.getpid()} on"):
        xinpaint.fill(src, dst, WindowMean(5), **given)
    assert not memory.exists(lock)
    elsewhere = {"host": "elsewhere", "pid": 1, "machine": "another", "token": "x"}
    memory.pipe_file(lock, json.dumps({**elsewhere, "beaten": time.time()}).encode())
    with pytest.raises(JobError, match="process 1 on elsewhere"):
        xinpaint.fill(src, dst, WindowMean(5), **given)
    memory.pipe_file(lock, json.dumps({**elsewhere, "beaten": time.time() - 1000}).encode())
    assert xinpaint.fill(src, dst, WindowMean(5), **given).complete
    dead = {"host": "here", "pid": 2**22 + 1, "machine": lease._machine(), "token": "x"}
    memory.pipe_file(lock, json.dumps({**dead, "beaten": time.time()}).encode())
    assert xinpaint.fill(src, dst, WindowMean(5), **given).complete  # at once


def test_a_driver_whose_lock_was_taken_over_stops(
    src: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dst, note = "memory://job/filled.zarr", drive.Driver._note
    other = json.dumps({"host": "elsewhere", "pid": 7, "token": "x", "beaten": time.time()})

    def robbed(driver: drive.Driver, *given: Any) -> None:
        memory.pipe_file("/job/filled.zarr/fill_status/lock", other.encode())
        note(driver, *given)

    monkeypatch.setattr(drive.Driver, "_note", robbed)
    with pytest.raises(JobError, match="by process 7 on elsewhere"):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    assert Ledger(dst).counts()["pending"] == 8
    assert memory.cat_file("/job/filled.zarr/fill_status/lock") == other.encode()


def test_the_lock_beats(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease.lock, "BEAT", 0.02)
    with target("memory://job/beats.zarr").locked() as held:
        first = memory.cat_file("/job/beats.zarr/fill_status/lock")
        deadline = time.monotonic() + 30
        while memory.cat_file("/job/beats.zarr/fill_status/lock") == first:
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        held()


def test_places_that_are_refused(src: Path, memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/job/other.zarr/precious", b"x")
    for dst, told in [
        ("sftp://host/filled.zarr", "a killed writer leaves half a file"),
        ("memory://job/other.zarr", "no output of a fill job"),
        ("s3://user:hidden@bucket/f.zarr", "user, password or query"),
        ("s3://bucket/f.zarr?X-Amz-Signature=hidden", "user, password or query"),
    ]:
        with pytest.raises(JobError, match=told) as caught:
            xinpaint.fill(src, dst, WindowMean(5), progress=False)
        assert "hidden" not in str(caught.value)
    with pytest.raises(JobError, match=r"zip::s3://bucket/cube.zip: the URL has a user"):
        xinpaint.fill("zip::s3://u:hidden@bucket/cube.zip", tmp_path / "f.zarr", WindowMean(5))
    with pytest.raises(JobError, match="outside of the source"):
        xinpaint.fill("memory://a/b.zarr", "memory://a/b.zarr/c", WindowMean(5), progress=False)
    with pytest.raises(JobError, match="leave workers and client out"):
        xinpaint.fill(src, "memory://job/f.zarr", WindowMean(5), workers=2, progress=False)
    with pytest.raises(DataError, match="does not open as Zarr"):
        xinpaint.fill("memory://nothing", tmp_path / "f.zarr", WindowMean(5), progress=False)
    assert list(memory.find("/job")) == ["/job/other.zarr/precious"]


def test_a_store_that_refuses_says_no_secret(src: Path, s3: dict[str, Any]) -> None:
    with pytest.raises(JobError, match=r"s3://nobucket/f\.zarr") as caught:
        xinpaint.fill(src, "s3://nobucket/f.zarr", WindowMean(5), storage_options=s3)
    assert not any(secret in str(caught.value) for secret in SECRET.values())
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


class Leaks(WindowMean):
    """Raises an error with secrets in it."""

    def fill(self, task: Any) -> Any:
        raise OSError("GET https://u:p@host/x?sig=abc with notsaideither failed")


def test_a_failure_says_no_secret(src: Path, memory: Any, tmp_path: Path) -> None:
    report = xinpaint.fill(
        *(src, "memory://job/leaks.zarr", Leaks(5)),
        block=BLOCK,
        progress=False,
        storage_options=SECRET,
    )
    assert set(report.failures.values()) == {"OSError: GET https://host/x with *** failed"}
    assert unsaid("a notsaideither", {"client_kwargs": {"secret": "notsaideither"}}) == "a ***"


def test_the_command_takes_urls(src: Path, s3: dict[str, Any], monkeypatch, capsys) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", SECRET["key"]),
        ("AWS_SECRET_ACCESS_KEY", SECRET["secret"]),
        ("AWS_ENDPOINT_URL", s3["endpoint_url"]),
    ):
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    dst = "s3://cubes/command.zarr"
    words = [str(src), dst, "--method", "fillnodata", "--block", "1", "100", "100", "--shards"]
    assert main(["fill", *words]) == 0
    assert f"wrote {dst}" in capsys.readouterr().out
    assert main(["status", dst]) == 0
    assert main(["verify", dst, "--deep"]) == 0


def test_failures_are_kept_and_healed(src: Path, memory: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    dst, broken = "memory://job/filled.zarr", Breaks(5, flag=str(flag))
    report = xinpaint.fill(src, dst, broken, block=BLOCK, progress=False)
    assert set(report.failures) == {"0/1/0", "1/1/0"} == set(status(dst).failures)
    flag.unlink()
    given: dict[str, Any] = {"block": BLOCK, "retry_failed": True, "progress": False}
    assert xinpaint.fill(src, dst, broken, **given).complete
    assert status(dst).failures == {}
