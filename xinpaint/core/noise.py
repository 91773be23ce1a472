"""Random fields that belong to places, not to tiles: a pixel always draws the same number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)


def gaussian(
    key: tuple[int, ...], shape: tuple[int, int, int], origin: tuple[int, int]
) -> NDArray[np.float32]:
    """Standard normal numbers, each a function of the key and its own place on the whole grid.

    Parameters
    ----------
    key : tuple of int
        Such as seed, number of the sample, day.
    shape : (int, int, int)
        Channels, rows, columns.
    origin : (int, int)
        Row and column of the first pixel in the whole array.

    Returns
    -------
    float32 ``[channels rows columns]``

    Notes
    -----
    A counter-based generator: the finaliser of SplitMix64 (Steele, Lea and Flood 2014) over key,
    channel, row and column, then Box and Muller 1958.

    Examples
    --------
    >>> whole = gaussian((0, 3), (1, 4, 8), (0, 0))
    >>> bool((gaussian((0, 3), (1, 2, 5), (1, 2)) == whole[:, 1:3, 2:7]).all())
    True
    """
    channels, rows, columns = (np.arange(n).astype(np.uint64) for n in shape)
    state = np.zeros((), np.uint64)
    with np.errstate(over="ignore"):  # unsigned integers wrap, as they should
        for part in key:
            state = _mix(state + np.uint64(part % 2**64))
        found = _mix(state + channels)[:, None, None]
        found = _mix(found + (rows + np.uint64(origin[0] % 2**64))[:, None])
        found = _mix(found + (columns + np.uint64(origin[1] % 2**64)))
    one = ((found >> np.uint64(32)).astype(np.float64) + 0.5) / 2**32
    two = (found & np.uint64(2**32 - 1)).astype(np.float64) / 2**32
    normal: NDArray[np.float32] = (np.sqrt(-2 * np.log(one)) * np.cos(2 * np.pi * two)).astype(
        np.float32
    )
    return normal


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + _STEP
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
