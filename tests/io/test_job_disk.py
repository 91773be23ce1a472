"""A disk that is really full: a small tmpfs of the test's own."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import chunks, source
from xinpaint.errors import JobError
from xinpaint.io.ledger import COPIED, DONE, EMPTY, Ledger

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tmpfs"),
]
BLOCK = (1, 72, 72)  # 27 blocks
NEW_NAMES, NEW_USERS, REMOUNT, PRIVATE = 0x20000, 0x10000000, 32, 0x4000 | 1 << 18


def mount(place: Path, size: int, *, again: bool = False) -> bool:
    """Give this process, and nobody else, a disk of so many bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not again:
        uid = os.geteuid()
        if libc.unshare(NEW_NAMES if uid == 0 else NEW_NAMES | NEW_USERS):
            return False
        if uid:
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        libc.mount(None, b"/", None, PRIVATE, None)
    flags = REMOUNT if again else 0
    how = f"size={size}".encode()
    return libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", flags, how) == 0


def on_small_disk(src: Path, disk: Path, told: Path, size: int) -> None:
    """Fill until the disk is full, look, make room, go on; what was found goes into a file."""
    if not mount(disk, size):
        told.write_text("null")
        return
    dst, found = disk / "filled.zarr", {}
    try:
        xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    except JobError as error:
        found["error"] = str(error)
    status = Ledger(dst).status if dst.exists() else np.zeros(0)  # not even room to lay it out
    found["done"] = int(np.isin(status, (DONE, COPIED, EMPTY)).sum())
    found["chunks"] = {key: data.hex() for key, data in chunks(dst).items()}
    mount(disk, 2**26, again=True)
    report = xinpaint.fill(src, dst, WindowMean(5), block=BLOCK, progress=False)
    found["complete"] = report.complete and not list(dst.rglob("*.partial"))
    found["after"] = {key: data.hex() for key, data in chunks(dst).items()}
    told.write_text(json.dumps(found))


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_full_disk(tmp_path: Path, share: float) -> None:
    src, disk, told = tmp_path / "cube.zarr", tmp_path / "disk", tmp_path / "told.json"
    source(src)
    disk.mkdir()
    xinpaint.fill(src, tmp_path / "whole.zarr", WindowMean(5), block=BLOCK, progress=False)
    whole = {key: data.hex() for key, data in chunks(tmp_path / "whole.zarr").items()}
    room = sum(-(-len(data) // 8192) * 4096 for data in whole.values())  # of hexadecimal digits
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.io.test_job_disk", "xinpaint.io.job"])
    child = context.Process(target=on_small_disk, args=(src, disk, told, int(share * room)))
    child.start()
    child.join()
    assert child.exitcode == 0
    found = json.loads(told.read_text())
    if found is None:
        pytest.skip("no right to mount a small disk here")
    assert "disk full: " in found["error"]
    assert f"are free at {disk / 'filled.zarr'}" in found["error"]
    if share > 0.4:
        assert "are needed (" in found["error"]
        assert 0 < found["done"] < 27
    assert all(whole[key] == data for key, data in found["chunks"].items())
    assert found["complete"]
    assert found["after"] == whole
