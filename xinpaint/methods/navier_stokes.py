"""Navier-Stokes inpainting: isophotes flow into the hole (OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.planes import (
    approximate,
    check_number,
    check_reach,
    fill_planes,
    halo_of,
    wide_enough,
)


@dataclass(frozen=True)
class NavierStokes:
    """Bertalmio, Bertozzi and Sapiro (2001), OpenCV's ``INPAINT_NS``, float32, one band at a time.

    Parameters
    ----------
    radius : float
        Neighbourhood of one step, in pixels.
    reach : int, optional
        The method marches through a hole of any size, so it needs the whole plane; a number of
        pixels here limits how far beyond a tile it looks, and makes tiled answers approximate.

    Raises
    ------
    MethodError
        Where an option is not a sensible number.

    References
    ----------
    M. Bertalmio, A. Bertozzi, G. Sapiro, "Navier-Stokes, fluid dynamics, and image and video
    inpainting", CVPR 2001.
    """

    radius: float = 5
    reach: int | None = None

    def __post_init__(self) -> None:
        check_number("navier_stokes", "radius", self.radius, least=1)
        check_reach("navier_stokes", self.reach)

    @property
    def halo(self) -> Halo:
        """The whole plane, or `reach`."""
        return halo_of(self.reach)

    @property
    def attrs(self) -> dict[str, str]:
        """Says "approximate" where `reach` is limited."""
        return approximate(self.reach)

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel of a plane that has context."""
        return fill_planes(task, self._solve)

    def _solve(
        self, planes: NDArray[np.float32], context: NDArray[np.bool_], target: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        import cv2

        hole, planes = wide_enough(~context, planes)
        # OpenCV's own thresholds are absolute; over 0 to 1 it does a little better than over 0
        # to 255 (0.05 dB on Landsat under real SLC-off gaps).
        filled = [cv2.inpaint(p, hole, self.radius, cv2.INPAINT_NS) for p in planes]
        return np.asarray(np.stack(filled)[:, : context.shape[0], : context.shape[1]], np.float32)
