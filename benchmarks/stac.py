"""What `open_stac` costs over bare odc-stac: building the lazy cube, and computing it.

``python -m benchmarks.stac`` makes files, serves them on loopback and prints what each takes. The
server runs in the same process, so its processor time is in every column. Numbers as stored are
held against bare odc-stac, reflectance against odc-stac with nodata, scale and offset by hand.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import xinpaint
from tests.io import catalogue
from xinpaint.io.grid import Grid, reproject
from xinpaint.io.warp import places

SIDE = 2048
BANDS = ("red", "nir08")


def seconds(work: Callable[[], Any], times: int) -> list[tuple[float, float]]:
    """Wall and processor time of each run; the second holds on a busy machine, too."""
    found = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return found


def least(found: list[tuple[float, float]]) -> tuple[float, float]:
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def files(folder: Path, dates: int) -> list[dict[str, Any]]:
    """Scenes of SIDE pixels: smooth land with noise, so that they compress as real ones do."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE] / 90.0
    for date in range(dates):
        for band in BANDS:
            land = 12000 + 4000 * np.sin(rows + date) * np.cos(cols) + rng.normal(0, 60, rows.shape)
            catalogue.write(
                folder / f"s{date}_{band}.tif", land.astype(np.uint16), 0,
                blockxsize=512, blockysize=512, predictor=2,
            )  # fmt: skip
    return [catalogue.item(f"s{date}", f"2005-01-{date + 1:02}", "BASE") for date in range(dates)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    many = [catalogue.item(f"i{n}", str(np.datetime64("2000-01-01") + 8 * n),
                           "https://example.org") for n in range(500)]  # fmt: skip
    for item in many:
        item["properties"]["proj:shape"] = [7_800, 7_800]
    build = seconds(lambda: xinpaint.open_stac(many, bands=BANDS, chunks=2048), 3)
    print(
        f"lazy build, 500 items of 7,800 x 7,800, 2 bands and QA: {least(build)[0]:.2f} s "
        f"({least(build)[1]:.2f} s of processor)"
    )
    positions()
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), asked.dates, asked.times)


def positions() -> None:
    """Print what it takes to work out which pixel lands where in another UTM zone."""
    own = Grid("EPSG:32618", 500_085.0, 4_400_115.0, (30.0, 30.0), (1024, 1024))
    left, _, _, top = reproject(own.bounds, own.crs, "EPSG:32617")
    grid = Grid("EPSG:32617", left, top, own.step, own.shape)
    found = seconds(lambda: places.__wrapped__(own, grid), 3)
    print(f"positions of 1024 x 1024 pixels in another UTM zone: {least(found)[1]:.2f} s")


def compare(folder: Path, dates: int, times: int) -> None:
    """Print how long ours and the bare library take for the same pixels, in turns."""
    import odc.stac
    import pystac

    items = files(folder, dates)
    server = catalogue.Server(folder)
    for item in items:
        item["properties"]["proj:shape"] = [SIDE, SIDE]
        for asset in item["assets"].values():
            asset["href"] = asset["href"].replace("BASE", f"{server.url}/ok")
    parsed = [pystac.Item.from_dict(item) for item in items]
    chunks = {"x": 1024, "y": 1024}
    bare = functools.partial(odc.stac.load, parsed, bands=BANDS, chunks=chunks)
    ours = functools.partial(
        xinpaint.open_stac, items, bands=BANDS, quality=None, chunks=1024,
        allow_hosts=[server.host],
    )  # fmt: skip
    np.testing.assert_array_equal(bare().red.values, ours(scale=False).red.values)
    jobs: dict[str, Callable[[], Any]] = {
        "bare odc-stac": lambda: bare().compute(),
        "stored": lambda: ours(scale=False).compute(),
        "odc-stac scaled by hand": lambda: by_hand(bare()).compute(),
        "reflectance": lambda: ours().compute(),
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(times):
        for name, job in jobs.items():
            rows[name] += seconds(job, 1)
    size = dates * len(BANDS) * SIDE**2 / 1e6
    print(f"open and compute {size:.0f} Mpx over HTTP, medians of {times} rounds:")
    for name, against in zip(jobs, ("bare odc-stac",) * 2 + ("odc-stac scaled by hand",) * 2,
                             strict=True):  # fmt: skip
        pairs = list(zip(rows[name], rows[against], strict=True))
        wall, cpu = (statistics.median(ours[k] for ours, _ in pairs) for k in (0, 1))
        walls, cpus = (statistics.median(a[k] / b[k] for a, b in pairs) for k in (0, 1))
        print(
            f"  {name}: {wall:.2f} s, processor {cpu:.2f} s; {walls:.2f} x and {cpus:.2f} x of "
            f"{against} in the same round"
        )
    server.close()


def by_hand(stored: Any) -> Any:
    """Reflectance as one makes it without us: nodata, scale, offset, float32."""
    return stored.where(stored != 0).astype("f4") * np.float32(2.75e-5) - np.float32(0.2)


if __name__ == "__main__":
    main()
