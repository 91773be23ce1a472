"""SLC gaps told from clouds, drop-outs and the land beside the swath."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.masks import EDGE_GAP, Mask, check

#: What is shorter along the scan is no SLC gap, in metres.
_LEAST_LENGTH = 900.0


def slc_gaps(missing: NDArray[np.bool_], *, resolution: float = 30.0, column: int = 0) -> Mask:
    """Tell the gaps of an SLC-off scene from clouds, lone drop-outs and the land beside the swath.

    A gap is low (at most 14 lines and a margin), has observed pixels above and below, and is long
    along the scan, whose tilt in a north-up image is at most 1:3. Where a stripe runs into a cloud
    that is missing too, the part inside the cloud belongs to the cloud, and what of the cloud lies
    low between two stripes may be taken for one: give the fill of a quality band where there is
    one.

    Parameters
    ----------
    missing : bool ``[y x]``
        Everything that was not observed, or the fill of a quality band.
    resolution : float
        Height of a pixel in metres.
    column : int
        Of the whole image that the first one here is, so that tiles agree.

    Returns
    -------
    bool ``[y x]``
        True in SLC gaps; only where `missing` is.

    Raises
    ------
    MethodError
        Where `missing` is not bool ``[y x]``.

    Examples
    --------
    >>> from xinpaint.core.masks import scan_lines
    >>> missing = scan_lines((200, 200), seed=0, position=0.8)
    >>> bool((slc_gaps(missing) <= missing).all())
    True
    """
    check(missing, "y x")
    height = int(np.ceil(1.3 * EDGE_GAP * 30.0 / resolution)) + 1
    length = max(8, round(_LEAST_LENGTH / resolution))
    low = missing & _low(missing, height)
    if not low.any():
        return low
    # thin stripes climb in steps of a pixel, so a line may pass a pixel above or below them
    thick = low.copy()
    thick[1:] |= low[:-1]
    thick[:-1] |= low[1:]
    found = np.zeros_like(low)
    for slope in np.linspace(-1 / 3, 1 / 3, 15):
        found |= _long(thick, float(slope), length, column)
    return np.asarray(low & found, np.bool_)


def _low(missing: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Missing pixels whose vertical run is at most so high and does not touch the border alone."""
    rows = np.arange(missing.shape[0], dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(missing, np.int32(-1), rows), axis=0)
    last = np.int32(missing.shape[0])
    below = np.flip(np.minimum.accumulate(np.flip(np.where(missing, last, rows), 0), axis=0), 0)
    inside = (above >= 0) | (below < last)  # a run cut by the border may be the rest of a stripe
    return np.asarray(missing & inside & (below - above - 1 <= most), np.bool_)


def _long(mask: NDArray[np.bool_], slope: float, least: int, column: int) -> NDArray[np.bool_]:
    """Pixels on a line of this slope that stays in the mask for at least so many columns."""
    rows, cols = mask.shape
    shift = np.rint(slope * (np.arange(cols) + column)).astype(np.int64)
    shift -= shift[0]
    pad = int(np.abs(shift).max(initial=0))
    index = np.arange(rows + 2 * pad)[:, None] - pad + shift[None]
    valid = (index >= 0) & (index < rows)
    sheared = np.take_along_axis(mask, np.clip(index, 0, rows - 1), axis=0) & valid
    place = np.arange(cols, dtype=np.int32)
    before = np.maximum.accumulate(np.where(sheared, np.int32(-1), place), axis=1)
    after = np.flip(
        np.minimum.accumulate(np.flip(np.where(sheared, np.int32(cols), place), 1), axis=1), 1
    )
    kept = sheared & (after - before - 1 >= min(least, cols))
    out = np.zeros_like(mask)
    r, c = np.nonzero(kept)
    out[index[r, c], c] = True
    return out
