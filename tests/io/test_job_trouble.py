"""What a fill job does when things go wrong."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import Breaks, Slow, chunks, flip, source
from xinpaint.errors import JobError
from xinpaint.io import drive, work
from xinpaint.io.ledger import FAILED, PENDING, STATUS, Ledger, block_name
from xinpaint.io.lock import locked
from xinpaint.io.verify import status
from xinpaint.io.work import cpus

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
BLOCK = (1, 72, 72)  # 27 blocks
#: A killed driver saves the status after so many blocks, not after a thousand.
SAVED_EVERY = 2


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trouble") / "cube.zarr"
    source(path)
    return path


@pytest.fixture(scope="module")
def whole(src: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The chunks of an unbroken run of any `WindowMean`."""
    dst = tmp_path_factory.mktemp("whole") / "filled.zarr"
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).complete
    return chunks(dst)


def run_slowly(src: Path, dst: Path) -> None:
    """A driver to be killed; it saves the status often."""
    drive.FLUSH_BLOCKS = SAVED_EVERY
    xinpaint.fill(src, dst, Slow(5, seconds=0.02), block=BLOCK, progress=False)


def kill_while_running(src: Path, dst: Path, seconds: float, *, early: bool) -> bool:
    """Kill a driver so many seconds after its start or its lock; whether it was still at work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.io.test_job_trouble", "xinpaint.io.job"])
    driver = context.Process(target=run_slowly, args=(src, dst))
    driver.start()
    lock = dst / STATUS / "lock"
    while not early and driver.is_alive():
        if lock.exists() and f'"pid": {driver.pid}}}' in lock.read_text():
            break
        time.sleep(0.005)
    driver.join(seconds)
    assert driver.pid is not None
    killed = driver.is_alive()
    try:
        os.kill(driver.pid, signal.SIGKILL) if killed else None
    except ProcessLookupError:  # it ended by itself in between
        killed = False
    driver.join()
    return killed


def check_after_kill(dst: Path, whole: dict[str, bytes]) -> int:
    """No block marked done is wrong; how many are."""
    if not dst.exists():
        return 0
    ledger = Ledger(dst)
    done = np.argwhere((ledger.status > 0) & (ledger.status < FAILED))
    there = chunks(dst)
    for t, y, x in done:
        for name in ("red", "red_std", "red_provenance", "QA_PIXEL"):
            key = f"{name}/c/{t}/{y}/{x}"
            assert there[key] == whole[key], key
    assert not ledger.attrs["complete"] or ledger.finished
    return len(done)


def to_redo(dst: Path) -> int:
    """Blocks that were written, wholly or in part, and will be done again."""
    if not dst.exists():
        return 0
    status = Ledger(dst).status
    written = [k for k in chunks(dst) if k.count("/") == 4 and not k.endswith(".partial")]
    there = {tuple(map(int, key.split("/")[-3:])) for key in written}
    return sum(int(status[index]) == PENDING for index in there)


def die_and_go_on(src: Path, dst: Path, whole: dict[str, bytes], kills: int) -> None:
    rng, first = np.random.default_rng(kills), dst
    start = time.perf_counter()
    assert not kill_while_running(src, dst.with_name("unbroken.zarr"), 600, early=True)
    longest = time.perf_counter() - start  # with the start of a process
    seen, killed, halfway, redone = 0, 0, 0, []
    for number in range(4 * kills):
        if killed == kills:
            break
        seconds = float(rng.uniform(0, longest))
        killed += kill_while_running(src, dst, seconds, early=number % 5 == 0)
        now = check_after_kill(dst, whole)
        redone.append(to_redo(dst))
        assert now >= seen
        halfway += 0 < now < 27
        seen = now
        if dst.exists() and Ledger(dst).finished:  # begin anew, so that every kill counts
            assert chunks(dst) == whole
            dst = first.with_name(f"filled-{number}.zarr")
            seen = 0
    print(
        f"{killed} drivers killed, {halfway} of them halfway; blocks marked done that are wrong: "
        f"0; blocks redone a kill: at most {max(redone)}, {np.mean(redone):.2f} on average"
    )
    assert killed == kills
    assert max(redone) <= SAVED_EVERY + 2 * cpus()  # those not saved yet and those under way
    assert halfway or kills < 20  # few kills on a busy machine may all come too early
    report = xinpaint.fill(src, dst, Slow(5, seconds=0.02), block=BLOCK, progress=False)
    assert report.complete
    assert chunks(dst) == whole
    assert not list(dst.rglob("*.partial"))
    assert not list(dst.parent.glob(".*.partial"))
    assert [p.name for p in (dst / STATUS).glob("lock")] == []
    assert xinpaint.verify(dst, deep=True).ok


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_drivers(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    die_and_go_on(src, tmp_path / "filled.zarr", whole, kills=10)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_200_killed_drivers(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    die_and_go_on(src, tmp_path / "filled.zarr", whole, kills=200)


def test_a_failing_block_is_named_and_healed(
    src: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    flag, dst = tmp_path / "flag", tmp_path / "filled.zarr"
    flag.touch()
    broken = Breaks(5, flag=str(flag))
    report = xinpaint.fill(src, dst, broken, block=BLOCK, progress=False)
    assert report.blocks["failed"] == 3
    assert set(report.failures) == {"0/1/0", "1/1/0", "2/1/0"}
    assert report.failures["1/1/0"] == "RuntimeError: this block does not go"
    assert status(dst).failures == dict(report.failures)
    assert not Ledger(dst).attrs["complete"]
    there = chunks(dst)
    assert "red/c/1/1/0" not in there
    assert all(there[key] == whole[key] for key in there)
    with pytest.warns(UserWarning, match="0 of 27 blocks are pending, 3 failed"):
        xinpaint.open_filled(dst)
    with pytest.raises(JobError, match="unfinished"):
        xinpaint.open_filled(dst, strict=True)
    flag.unlink()
    assert not xinpaint.fill(src, dst, broken, block=BLOCK, progress=False).complete
    healed = xinpaint.fill(src, dst, broken, block=BLOCK, retry_failed=True, progress=False)
    assert healed.complete
    assert healed.done == 3
    assert chunks(dst) == whole


def test_a_source_chunk_that_does_not_read(tmp_path: Path) -> None:
    cube = tmp_path / "cube.zarr"
    source(cube, t=2)
    bad = cube / "red" / "1.0.2"
    good = bad.read_bytes()
    bad.write_bytes(b"rubbish")
    dst = tmp_path / "filled.zarr"
    report = xinpaint.fill(cube, dst, "fillnodata", block=None, progress=False)
    assert report.failures == {"0/0/0": report.failures["0/0/0"]}
    report = xinpaint.fill(cube, tmp_path / "f.zarr", WindowMean(5), block=BLOCK, progress=False)
    # the block itself, and those that look into it
    assert set(report.failures) == {"1/0/1", "1/1/1", "1/0/2", "1/1/2"}
    assert report.failures["1/0/2"].startswith("cannot read 'red': ")
    with pytest.warns(UserWarning, match="unfinished"):
        opened = xinpaint.open_filled(tmp_path / "f.zarr")
    assert not (opened["red_provenance"] == 4).any()
    assert (opened["red_provenance"][1, :72, 144:] == 0).all()
    bad.write_bytes(good)
    fresh, dst = tmp_path / "fresh.zarr", tmp_path / "f.zarr"
    again = xinpaint.fill(cube, dst, WindowMean(5), block=BLOCK, retry_failed=True, progress=False)
    assert again.complete
    xinpaint.fill(cube, fresh, WindowMean(5), block=BLOCK, progress=False)
    assert chunks(dst) == chunks(fresh)


def flip_and_mend(src: Path, dst: Path, flips: int) -> None:
    """Every flipped bit is found, alone and together with the others, and mended."""
    xinpaint.fill(src, dst, "fillnodata", block=(1, 150, 170), progress=False)
    before = chunks(dst)
    rng = np.random.default_rng(flips)
    keys = list(before)
    for _ in range(flips):
        key = keys[int(rng.integers(len(keys)))]
        flip(dst / key, int(rng.integers(8 * len(before[key]))))
        found = xinpaint.verify(dst, deep=True)
        name, _, *place = key.split("/")
        date = int(place[0]) if len(place) == 3 else 0  # without time: in the first blocks
        told = name if len(place) == 1 else block_name((date, 0, 0))
        assert found.corrupted == (told,), key
        assert not found.ok
        (dst / key).write_bytes(before[key])
    hit = {keys[k] for k in rng.choice(len(keys), min(flips, len(keys)), replace=False)}
    for key in sorted(hit):
        flip(dst / key, int(rng.integers(8 * len(before[key]))))
    (dst / "red/c/2/0/0").unlink()
    assert xinpaint.verify(dst).missing == ("2/0/0",)
    mended = xinpaint.verify(dst, deep=True, repair=True)
    assert "2/0/0" in {*mended.missing, *mended.corrupted}
    assert mended.repaired == len(mended.corrupted) + len(mended.missing)
    assert mended.ok
    assert chunks(dst) == before
    assert Ledger(dst).attrs["complete"]
    print(f"{flips} of {flips} flipped bits found, one by one; {mended.repaired} blocks mended")


def test_damage_is_found_and_mended(src: Path, tmp_path: Path) -> None:
    flip_and_mend(src, tmp_path / "filled.zarr", flips=10)


def test_damage_to_the_status_itself(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "filled.zarr"
    xinpaint.fill(src, dst, WindowMean(5), block=(3, 144, 144), progress=False)
    before, place = chunks(dst), dst / STATUS / "c" / "0" / "0" / "0"
    flip(place, 77)
    with pytest.raises(
        JobError, match=r"status of the blocks is damaged .* remove .*fill_status/c"
    ):
        xinpaint.verify(dst)
    place.unlink()
    assert xinpaint.fill(src, dst, WindowMean(5), block=(3, 144, 144), progress=False).done == 4
    assert chunks(dst) == before


@pytest.mark.slow
def test_100_flipped_bits(src: Path, tmp_path: Path) -> None:
    flip_and_mend(src, tmp_path / "filled.zarr", flips=100)


def test_damage_to_the_work_of_an_own_filler(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "filled.zarr"
    xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    before = chunks(dst)
    flip(dst / "nir/c/0/2/2", 40)
    with pytest.raises(JobError, match=r"pending again: 1 block, .* same fill again"):
        xinpaint.verify(dst, deep=True, repair=True)
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).done == 1
    assert chunks(dst) == before


def test_one_driver_at_a_time(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "filled.zarr"
    xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    lock = dst / STATUS / "lock"
    with locked(lock), pytest.raises(JobError, match=f"filled by process {os.getpid()} on"):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    assert not lock.exists()
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with pytest.raises(JobError, match="process 1 on elsewhere"):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    long_ago = time.time() - 1000
    os.utime(lock, (long_ago, long_ago))
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).complete


def test_a_full_disk_stops_and_goes_on(
    src: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    dst, put, left = tmp_path / "filled.zarr", work._put, [60]

    def full(*given: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(*given)

    monkeypatch.setattr(work, "_put", full)
    with pytest.raises(JobError, match=r"disk full: [\d,]+ bytes are free at .*filled.zarr"):
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    assert 0 < check_after_kill(dst, whole) < 27
    monkeypatch.undo()
    assert xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False).complete
    assert chunks(dst) == whole


def test_processes_and_a_block_that_kills_its_worker(
    src: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    flag, dst = tmp_path / "flag", tmp_path / "filled.zarr"
    flag.touch()
    deadly = Breaks(5, flag=str(flag), how="die")
    given: dict[str, Any] = {"block": (3, 72, 72), "workers": 2, "progress": False}
    report = xinpaint.fill(src, dst, deadly, **given)
    assert report.failures == {"0/1/0": "its worker died (BrokenProcessPool)"}
    assert report.blocks["filled"] == 8
    flag.unlink()
    assert xinpaint.fill(src, dst, deadly, retry_failed=True, **given).complete
    assert {k: v for k, v in chunks(dst).items() if "relief" not in k} == {
        k: v for k, v in whole.items() if "relief" not in k
    }


def test_workers_end_with_their_driver(src: Path, tmp_path: Path) -> None:
    code = (
        "import sys, xinpaint; from pathlib import Path; from tests.io.cubes import Slow\n"
        "if __name__ == '__main__':\n"
        f"    xinpaint.fill({str(src)!r}, {str(tmp_path / 'f.zarr')!r}, Slow(5, seconds=0.3),"
        f" block={BLOCK}, workers=1, progress=False)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    driver = subprocess.Popen([sys.executable, str(script)], env=environment)
    while not list((tmp_path / "f.zarr").glob("red/c/0/0/0")) and driver.poll() is None:
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    time.sleep(2)
    after = chunks(tmp_path / "f.zarr")
    time.sleep(2)
    assert after == chunks(tmp_path / "f.zarr")


@pytest.mark.filterwarnings("ignore")  # whatever a local cluster says of ports and timers
def test_a_dask_cluster(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        report = xinpaint.fill(
            src, tmp_path / "f.zarr", WindowMean(5), block=BLOCK, client=client, progress=False
        )
    assert report.complete
    assert chunks(tmp_path / "f.zarr") == whole


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_50_killed_workers_in_1000_blocks(tmp_path: Path) -> None:
    source(tmp_path / "cube.zarr", t=1, y=250, x=160)
    block, dst = (1, 10, 4), tmp_path / "filled.zarr"
    whole = tmp_path / "whole.zarr"
    report = xinpaint.fill(
        tmp_path / "cube.zarr", whole, WindowMean(5), block=block, progress=False
    )
    assert sum(report.blocks.values()) == 1000
    rng, ended, kills = np.random.default_rng(0), threading.Event(), []

    def hunt() -> None:
        while not ended.wait(float(rng.uniform(0.5, 2))):
            alive = multiprocessing.active_children()
            workers = [p for p in alive if p.name.startswith("SpawnProcess")]
            if workers and len(kills) < 50 and (dst / "red" / "c").is_dir():
                victim = workers[int(rng.integers(len(workers)))]
                kills.append(victim.pid)
                victim.kill()

    hunter = threading.Thread(target=hunt)
    hunter.start()
    given: dict[str, Any] = {"block": block, "workers": 2, "progress": False}
    slow, rounds = Slow(5, seconds=0.2), 0
    try:
        while rounds < 5:  # a block that was hit three times in a row is given up, and healed
            rounds += 1
            given["retry_failed"] = rounds > 1
            report = xinpaint.fill(tmp_path / "cube.zarr", dst, slow, **given)
            if report.complete:
                break
    finally:
        ended.set()
        hunter.join()
    print(f"{len(kills)} workers killed, {rounds} calls")
    assert len(kills) == 50
    assert report.complete
    assert chunks(dst) == chunks(whole)
