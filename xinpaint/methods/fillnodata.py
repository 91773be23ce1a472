"""GDAL's fillnodata: inverse distance weighting over a conic search in four directions."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.planes import check_number, fill_planes, halo_of


@dataclass(frozen=True)
class FillNodata:
    """``GDALFillNodata`` through :func:`rasterio.fill.fillnodata`, float32.

    Parameters
    ----------
    max_distance : float
        How far to search for context, in pixels; a target further away is not answered.
    smoothing : int
        Passes of a 3 by 3 mean over the filled pixels.

    Raises
    ------
    MethodError
        Where an option is not a sensible number.

    References
    ----------
    https://gdal.org/programs/gdal_fillnodata.html
    """

    max_distance: float = 100
    smoothing: int = 0

    def __post_init__(self) -> None:
        check_number("fillnodata", "max_distance", self.max_distance, least=1)
        check_number("fillnodata", "smoothing", self.smoothing, least=0)

    @property
    def halo(self) -> Halo:
        """The search distance, and a pixel for each pass of smoothing."""
        return halo_of(math.ceil(self.max_distance) + 1 + int(self.smoothing))

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel that has context within `max_distance`."""
        return fill_planes(task, self._solve, scaled=False)

    def _solve(
        self, planes: NDArray[np.float32], context: NDArray[np.bool_], target: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        from rasterio.fill import fillnodata

        _hush()
        known = context.astype(np.uint8)
        answers = np.empty_like(planes)
        for plane, answer in zip(planes, answers, strict=True):
            # what GDAL cannot reach it leaves as it was: NaN
            answer[...] = fillnodata(plane, known, self.max_distance, int(self.smoothing))
        return answers


def _hush() -> None:
    """Hide for good that the planes, which are mere arrays, lie nowhere on Earth.

    rasterio hides it for each call, but calls in several threads undo that for each other.
    """
    from rasterio.errors import NotGeoreferencedWarning as Warned

    if not any(f[0] == "ignore" and f[2] is Warned and f[3] is not None for f in warnings.filters):
        warnings.filterwarnings("ignore", category=Warned, module=r"rasterio\.fill")
