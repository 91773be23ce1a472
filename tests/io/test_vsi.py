"""GDAL finds the files over HTTP of all threads behind one handler, entered once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path

import numpy as np
import pytest

from tests.io import catalogue
from xinpaint.errors import DataError
from xinpaint.io.guard import Guard
from xinpaint.io.reading import Access, Asset, read

pytest.importorskip("rasterio")


def test_files_come_and_go_behind_one_handler(tmp_path: Path) -> None:
    import rasterio

    from xinpaint.io import vsi

    def use(image):
        with rasterio.open(image.name, sharing=False) as again:  # as the engines do
            return image.name.rpartition("/")[0], again.read(1)

    with catalogue.serving(tmp_path) as server:
        access = Access(Guard(hosts=(server.host,)), retries=0)
        urls = [f"{server.url}/ok/LE07_{day}_red.tif" for day in catalogue.DAYS] * 4
        with ThreadPoolExecutor(4) as pool:  # threads, and contexts, that never saw the handler
            found = list(pool.map(lambda url: read(Asset("i", "red", url), access, use), urls))
        found.append(Context().run(read, Asset("i", "red", urls[0]), access, use))
        with pytest.raises(DataError, match="HTML"):
            read(Asset("i", "red", f"{server.url}/html/x.tif"), access, use)
        assert len({prefix for prefix, _ in found}) == 1
        for (_, values), url in zip(found, [*urls, urls[0]], strict=True):
            with rasterio.open(tmp_path / url.rpartition("/")[2]) as image:
                np.testing.assert_array_equal(values, image.read(1))
    assert list(vsi._FOLDER.files) == ["pixel.tif"]  # nothing stays behind


def test_reading_in_threads_does_not_end_the_process(tmp_path: Path) -> None:
    code = """
    import io, sys, threading, time
    import rasterio
    from xinpaint.io.vsi import served

    path, data = sys.argv[1], open(sys.argv[1], "rb").read()
    until = time.monotonic() + 2

    class File:
        size = len(data)
        def open(self):
            return io.BytesIO(data)

    def remote():
        while time.monotonic() < until:
            with served(File()) as name, rasterio.open(name) as image:
                assert image.width == 160

    def local():
        while time.monotonic() < until:
            with rasterio.open(path, sharing=False) as image:
                assert image.width == 160

    threads = [threading.Thread(target=work) for work in (remote, remote, local, local)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    """
    catalogue.write_scene(tmp_path, "a", 0)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), tmp_path / "a_red.tif"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr[-3000:]
