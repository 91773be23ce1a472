"""Peak memory of filling a large cube to Zarr, in a process of its own."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr

import xinpaint  # noqa: F401 - registers the accessor
from benchmarks.speed import scene


def lazy_cube(side: int, chunk: int) -> xr.Dataset:
    """Six bands of uint16 that come into being chunk by chunk, as if read from a file."""
    ds = xr.Dataset(coords={"y": -30.0 * np.arange(side), "x": 30.0 * np.arange(side)})
    for number, name in enumerate(scene.BANDS):

        def piece(block_info: dict, band: int = number) -> np.ndarray:
            rows, cols = block_info[None]["array-location"]
            hole = scene.gap(chunk, seed=rows[0] // chunk)
            values = np.where(hole, 0, scene.image(chunk, "uint16")[band])
            return values[: rows[1] - rows[0], : cols[1] - cols[0]].astype(np.uint16)

        shape = da.core.normalize_chunks((chunk, chunk), (side, side))
        lazy = da.map_blocks(piece, chunks=shape, dtype=np.uint16, meta=np.empty((0, 0), np.uint16))
        ds[name] = (("y", "x"), lazy, {"_FillValue": np.uint16(0)})
    return ds


def peak(side: int, chunk: int, method: str) -> dict[str, float]:
    """Fill to a temporary Zarr store; resident bytes at their highest, and the seconds."""
    ds = lazy_cube(side, chunk)
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="threads"):
        before = _highest()
        start = time.perf_counter()
        getattr(ds.inpaint, method)().to_zarr(Path(folder) / "filled.zarr", consolidated=False)
        seconds = time.perf_counter() - start
    return {"before_gb": before / 1e9, "peak_gb": _highest() / 1e9, "seconds": seconds}


def _highest() -> int:
    """Highest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def main() -> None:
    """Print one line of JSON."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.speed.memory", description=__doc__)
    ask.add_argument("--side", type=int, default=7000)
    ask.add_argument("--chunk", type=int, default=1024)
    ask.add_argument("--method", default="convnp")
    asked = ask.parse_args()
    print(json.dumps(peak(asked.side, asked.chunk, asked.method)))


if __name__ == "__main__":
    main()
