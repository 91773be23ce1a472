"""asv: time and peak memory of a fill."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from benchmarks.speed import scene
from xinpaint.io.weights import filler

SIDE = 512


class Method:
    """A filler on arrays: six bands, one date."""

    params = (("convnp", "navier_stokes", "telea", "fillnodata", "biharmonic", "linear_time"),)
    param_names = ("method",)
    timeout = 600

    def setup(self, method: str, side: int = SIDE, **options: Any) -> None:
        self.task = scene.task(side)
        self.filler = filler(method, **options)
        self.filler.fill(scene.task(32))

    def time_fill(self, method: str) -> None:
        self.filler.fill(self.task)

    def peakmem_fill(self, method: str) -> None:
        self.filler.fill(self.task)


class OpenCV:
    """The call to beat: Navier-Stokes, radius 5, uint8, two calls of three bands each."""

    def setup(self, side: int = SIDE) -> None:
        self.hole = scene.gap(side).astype(np.uint8)
        values = np.where(self.hole, 0, scene.image(side)).astype(np.uint8)
        self.images = [np.ascontiguousarray(np.moveaxis(values[k : k + 3], 0, -1)) for k in (0, 3)]

    def time_navier_stokes_uint8(self) -> None:
        for part in self.images:
            cv2.inpaint(part, self.hole, 5, cv2.INPAINT_NS)


class Cube:
    """A Dataset in, a Dataset out; the chunk is None for NumPy."""

    params = ((None, 256, 512),)
    param_names = ("chunk",)
    timeout = 600

    def setup(self, chunk: int | None, side: int = SIDE) -> None:
        import xinpaint  # noqa: F401 - registers the accessor

        self.cube = scene.cube(side, chunk=chunk)
        scene.cube(32).inpaint.convnp()

    def time_convnp(self, chunk: int | None) -> None:
        self.cube.inpaint.convnp().load(scheduler="threads")

    def peakmem_convnp(self, chunk: int | None) -> None:
        self.cube.inpaint.convnp().load(scheduler="threads")
