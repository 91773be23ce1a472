"""Gap masks: SLC-off stripes, cloud blobs, real patterns transplanted, and what context surrounds.

A mask is bool ``[y x]``, true where a pixel is missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.errors import MethodError

Mask = NDArray[np.bool_]

#: Rows between two gaps of an SLC-off scene: two scans of 16 detector lines, and a little.
SCAN_PERIOD = 33.0
#: Gap height at the swath's edge, in 30 m lines (USGS: up to 14).
EDGE_GAP = 14.0


def scan_lines(
    shape: tuple[int, int],
    *,
    seed: int,
    position: float | None = None,
    width: float = 1.0,
    span: float = 0.08,
) -> Mask:
    """Simulated SLC-off stripes: wedges that grow from nadir to the scan edge.

    Without its corrector the ETM+ scans in a zigzag; the uncovered wedge between two scans is
    empty at nadir and about 14 lines high at the swath's edge, every 33 lines, tilted with the
    ground track (Scaramuzza and Barsi 2005).

    Parameters
    ----------
    shape : (int, int)
        ``(y, x)`` in pixels.
    seed : int
        Same seed, same mask.
    position : float, optional
        Where the window's middle lies across the half swath: 0 nadir, 1 scan edge. Drawn from
        0.2 to 1 where not given.
    width : float
        Gaps this many times as high (the paper's "bigger scan lines" are 2 and 3); the period
        grows with it beyond 2 so that context remains.
    span : float
        Share of the half swath that the window covers, so how fast the wedge grows over it.

    Returns
    -------
    bool ``[y x]``
        True = missing.

    Examples
    --------
    >>> nadir, edge = (scan_lines((330, 330), seed=0, position=p).mean() for p in (0.2, 0.9))
    >>> bool(nadir < edge)
    True
    """
    rng = np.random.default_rng(seed)
    where = rng.uniform(0.2, 1.0) if position is None else position
    tilt = rng.uniform(0.12, 0.28) * rng.choice([-1, 1])
    period = SCAN_PERIOD * rng.uniform(0.97, 1.27) * max(1.0, 0.5 * width + 0.25)
    phase = rng.uniform(0, period)
    facing = rng.choice([-1, 1])
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    across = np.clip(where + facing * span * (cols / max(shape[1] - 1, 1) - 0.5), 0, 1)
    height = EDGE_GAP * width * across
    ragged = np.repeat(rng.normal(0, 0.5, (shape[0], shape[1] // 8 + 1)), 8, axis=1)
    line = (rows + tilt * cols + phase) % period
    return np.asarray(line < height + ragged[:, : shape[1]] * (height > 1), dtype=np.bool_)


def clouds(shape: tuple[int, int], *, seed: int, fraction: float = 0.15) -> Mask:
    """Cloud-like blobs covering `fraction` of the window: smoothed noise, thresholded.

    Parameters
    ----------
    shape : (int, int)
        ``(y, x)`` in pixels.
    seed : int
        Same seed, same mask.
    fraction : float
        Share of pixels missing, 0 to 1.

    Returns
    -------
    bool ``[y x]``
        True = missing.

    Raises
    ------
    MethodError
        Where `fraction` is not between 0 and 1.

    Examples
    --------
    >>> float(clouds((100, 100), seed=0, fraction=0.2).mean())
    0.2
    """
    if not 0 <= fraction <= 1:
        raise MethodError(f"fraction = {fraction}: give a share from 0 to 1, such as 0.15")
    rng = np.random.default_rng(seed)
    size = rng.uniform(4, 9)
    field = np.zeros(shape)
    for octave, weight in ((1.0, 1.0), (0.5, 0.35), (0.25, 0.12)):
        layer = ndimage.gaussian_filter(rng.normal(size=shape), size * octave, mode="reflect")
        field += weight * layer / max(float(layer.std()), 1e-12)
    return np.asarray(field > np.quantile(field, 1 - fraction), dtype=np.bool_)


def transplant(bank: NDArray[np.bool_], shape: tuple[int, int], *, seed: int) -> Mask:
    """A real gap pattern, cut from a post-2003 scene, laid over another image.

    One window of the bank is drawn and cropped at a random place, or continued by mirroring
    where the image is larger; flipped at random (Pondaven et al. 2022).

    Parameters
    ----------
    bank : bool ``[n y x]``
        Windows with true = missing.
    shape : (int, int)
        ``(y, x)`` of the image.
    seed : int
        Same seed, same mask.

    Returns
    -------
    bool ``[y x]``
        True = missing.

    Raises
    ------
    MethodError
        Where `bank` is not bool ``[n y x]`` with a window or more.

    Examples
    --------
    >>> bank = scan_lines((64, 64), seed=0)[None]
    >>> transplant(bank, (32, 48), seed=1).shape
    (32, 48)
    """
    check(bank, "n y x")
    rng = np.random.default_rng(seed)
    window = bank[rng.integers(len(bank))]
    pad = [(0, max(0, n - m)) for n, m in zip(shape, window.shape, strict=True)]
    window = np.pad(window, pad, mode="symmetric")
    y, x = (int(rng.integers(m - n + 1)) for n, m in zip(shape, window.shape, strict=True))
    window = window[y : y + shape[0], x : x + shape[1]]
    for axis in (0, 1):
        if rng.random() < 0.5:
            window = np.flip(window, axis)
    return np.ascontiguousarray(window)


def widened(gap: Mask, width: float) -> Mask:
    """Real gaps as if they were wider: the paper's "bigger scan lines", of a real pattern.

    Each gap grows up and down until it is on average `width` times as high (Pondaven et al. 2022);
    the period stays, so growth ends where a quarter of the pixels would be left.

    Parameters
    ----------
    gap : bool ``[y x]``
    width : float
        1 leaves it as it is.

    Returns
    -------
    bool ``[y x]``
        True = missing; all of `gap` included.

    Examples
    --------
    >>> gap = scan_lines((200, 200), seed=0, position=0.5)
    >>> bool(widened(gap, 2).sum() > 1.5 * gap.sum())
    True
    """
    starts = int(gap[0].sum()) + int((gap[1:] & ~gap[:-1]).sum())
    more = round((width - 1) * float(gap.sum()) / max(starts, 1))
    made = gap.copy()
    for k in range(more):
        grown = made.copy()
        if k % 2:
            grown[1:] |= made[:-1]
        else:
            grown[:-1] |= made[1:]
        if grown.mean() > max(0.75, float(gap.mean())):
            break
        made = grown
    return made


def check(mask: NDArray[np.bool_], axes: str) -> None:
    """Refuse, as MethodError, what is no mask with these axes, such as ``"n y x"``, or no bank."""
    if mask.ndim != len(axes.split()) or mask.dtype != np.bool_ or not len(mask):
        raise MethodError(
            f"found {mask.dtype} {list(mask.shape)}; wanted bool [{axes}], true = missing"
        )


def surrounded(context: NDArray[np.bool_], reach: int | None = None) -> NDArray[np.bool_]:
    """Pixels with context within `reach` on at least three of their four sides.

    A side is the row or column from the pixel outwards. So a pixel in a stripe or under a cloud
    is surrounded, and the empty land beside a swath is not.

    Parameters
    ----------
    context : bool ``[... y x]``
        Observed pixels.
    reach : int, optional
        In pixels; None = as far as the array goes.

    Returns
    -------
    bool ``[... y x]``
        Context itself included where it is surrounded.
    """
    return np.asarray(np.sum(_sides(context, reach), axis=0, dtype=np.uint8) >= 3, np.bool_)


def between(context: NDArray[np.bool_], reach: int | None = None) -> NDArray[np.bool_]:
    """Pixels with context within `reach` on two opposite sides, as in a stripe across an image.

    Parameters and return as of `surrounded`, whose pixels are all among these.
    """
    left, right, above, below = _sides(context, reach)
    return (left & right) | (above & below)


def _sides(context: NDArray[np.bool_], reach: int | None) -> list[NDArray[np.bool_]]:
    """Whether context is near on the left, the right, above and below."""
    sides = []
    for axis in (-1, -2):
        sides.append(_near(context, axis, reach))
        sides.append(np.flip(_near(np.flip(context, axis), axis, reach), axis))
    return sides


def _near(seen: NDArray[np.bool_], axis: int, reach: int | None) -> NDArray[np.bool_]:
    """Whether a true pixel lies strictly before each one along `axis`, at most `reach` away."""
    size = seen.shape[axis]
    index = np.arange(size, dtype=np.int32)
    index = index if axis == -1 else index[:, None]
    limit = np.int32(size if reach is None else reach)
    last = np.maximum.accumulate(np.where(seen, index, np.int32(-(2**30))), axis=axis)
    before = np.full_like(last, -(2**30))
    head = [slice(None)] * seen.ndim
    tail = [slice(None)] * seen.ndim
    head[axis], tail[axis] = slice(1, None), slice(None, -1)
    before[tuple(head)] = last[tuple(tail)]
    return np.asarray(index - before <= limit, dtype=np.bool_)
