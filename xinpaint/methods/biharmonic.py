"""Biharmonic inpainting: the smoothest surface through the edge of the hole (scikit-image)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.planes import approximate, check_reach, fill_planes, halo_of


@dataclass(frozen=True)
class Biharmonic:
    """Damelin and Hoang (2018), :func:`skimage.restoration.inpaint_biharmonic`, float64.

    One sparse system per connected hole, so time and memory grow faster than the hole; holes
    without a target in them are not solved.

    Parameters
    ----------
    reach : int, optional
        A surface through a hole needs all of the hole's edge, so the method needs the whole
        plane; a number of pixels here limits how far beyond a tile it looks, and makes tiled
        answers approximate.

    Raises
    ------
    MethodError
        Where `reach` is not a whole number of pixels.

    References
    ----------
    S. B. Damelin, N. S. Hoang, "On surface completion and image inpainting by biharmonic
    functions: numerical aspects", Int. J. Math. Math. Sci. (2018), doi:10.1155/2018/3950312.
    """

    reach: int | None = None

    def __post_init__(self) -> None:
        check_reach("biharmonic", self.reach)

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
        from skimage.restoration import inpaint_biharmonic

        # A hole's equations reach two pixels across known ones at most; holes further apart
        # than that are independent, and those without a target need no solving.
        near = ndimage.binary_dilation(~context)
        regions, count = ndimage.label(near, np.ones((3, 3), bool))
        wanted = np.zeros(count + 1, bool)
        wanted[regions[target]] = True
        hole = ~context & wanted[regions]
        stack = np.moveaxis(planes.astype(np.float64), 0, -1)
        filled = inpaint_biharmonic(stack, hole, split_into_regions=True, channel_axis=-1)
        return np.ascontiguousarray(np.moveaxis(filled, -1, 0))
