"""Windows of real SLC gaps, cut from what a scene lacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.stripes import slc_gaps

Mask = NDArray[np.bool_]

#: Share of a window that its gaps may take; what else of it may be missing.
SHARE, OTHER = (0.03, 0.6), 0.05


def windows(missing: Mask, *, side: int = 256, stride: int = 64, resolution: float = 30.0) -> Mask:
    """Windows of the SLC gaps of one scene, clouds and the land beside the swath left out.

    A window is kept where its gaps take 3 to 60 % of it, and at most 5 % are missing for another
    reason: under a cloud the gaps cannot be told.

    Parameters
    ----------
    missing : bool ``[y x]``
        Everything that was not observed.
    side, stride : int
        Of the windows, in pixels; they overlap where `stride` is the smaller.
    resolution : float
        Height of a pixel in metres.

    Returns
    -------
    bool ``[n side side]``
        True = gap; none where the scene is smaller than a window or has no gaps.
    """
    gap = slc_gaps(missing, resolution=resolution)
    other = missing & ~gap
    found = []
    for y in range(0, missing.shape[0] - side + 1, stride):
        for x in range(0, missing.shape[1] - side + 1, stride):
            cut = np.s_[y : y + side, x : x + side]
            if SHARE[0] <= gap[cut].mean() <= SHARE[1] and other[cut].mean() <= OTHER:
                found.append(gap[cut])
    return np.stack(found) if found else np.zeros((0, side, side), np.bool_)
