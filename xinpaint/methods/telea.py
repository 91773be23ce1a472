"""Telea's fast-marching inpainting (OpenCV)."""

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

_LEVELS = 65535


@dataclass(frozen=True)
class Telea:
    """Telea (2004), OpenCV's ``INPAINT_TELEA``, one band at a time in 16 bits of its range.

    OpenCV adds a term of about one unit to each answer, which ruins float32 values of 0 to 1;
    over 65,535 levels it is nothing, unless one value lies so far out that the others share few
    of these levels.

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
    A. Telea, "An image inpainting technique based on the fast marching method", Journal of
    Graphics Tools 9 (2004), doi:10.1080/10867651.2004.10487596.
    """

    radius: float = 5
    reach: int | None = None

    def __post_init__(self) -> None:
        check_number("telea", "radius", self.radius, least=1)
        check_reach("telea", self.reach)

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
        levels = np.rint(planes.astype(np.float64) * _LEVELS).astype(np.uint16)
        filled = [cv2.inpaint(p, hole, self.radius, cv2.INPAINT_TELEA) for p in levels]
        return np.stack(filled)[:, : context.shape[0], : context.shape[1]] / np.float64(_LEVELS)
