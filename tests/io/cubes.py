"""What the tests of the fill job share: a source, and fillers that fail on purpose."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tests.cube.fillers import WindowMean
from tests.cube.make import make
from xinpaint.core.task import Fill, Task


def source(path: Path, *, t: int = 3, y: int = 150, x: int = 170) -> xr.Dataset:
    """Write a cube of uint16, float32 and a quality band in chunks of 1 × 72 × 72."""
    ds = make(t, y, x)
    ds["ndvi"] = make(t, y, x, seed=1, dtype="float32")["red"]
    ds["relief"] = ds["nir"].isel(time=0, drop=True).assign_attrs(nodata=0)
    quality = np.where(np.arange(x) % 40 == 7, 8, 64).astype(np.uint16)
    ds["QA_PIXEL"] = ds["red"].copy(data=np.broadcast_to(quality, (t, y, x)))
    ds["platform"] = ("time", [f"LE0{n}" for n in range(t)])
    ds.chunk(time=1, y=72, x=72).to_zarr(path, zarr_format=2, consolidated=True)
    return xr.open_zarr(path, decode_coords="all", chunks={})


def chunks(store: Path) -> dict[str, bytes]:
    """Every chunk of the filled arrays, by its path."""
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in sorted({*store.rglob("c/**/*"), *store.rglob("c")})
        if file.is_file() and "fill_status" not in file.parts
    }


@dataclass(frozen=True)
class Slow(WindowMean):
    """Takes its time."""

    seconds: float = 0.01

    def fill(self, task: Task) -> Fill:
        time.sleep(self.seconds)
        return super().fill(task)


@dataclass(frozen=True)
class Breaks(WindowMean):
    """Raises, or kills its process, in one corner while a file exists."""

    flag: str = ""
    how: str = "raise"

    def fill(self, task: Task) -> Fill:
        if task.origin == (8, 0) and Path(self.flag).exists():
            if self.how == "raise":
                raise RuntimeError("this block does not go")
            os._exit(9)
        return super().fill(task)


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << (bit % 8)
    path.write_bytes(bytes(data))


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("must not be called")
