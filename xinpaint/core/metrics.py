"""The yardstick: how well hidden pixels were found again.

All scores are taken on values stretched to 0–1 by :func:`stretch` (data range 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core.intervals import half_width, score

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def stretch(values: NDArray[Any], valid: Mask) -> tuple[float, float]:
    """The 1st and 99th percentile of the valid pixels: what becomes 0 and 1.

    Parameters
    ----------
    values : real ``[...]``
        One band.
    valid : bool ``[...]``
        Pixels that count.

    Returns
    -------
    (float, float)
        ``lo < hi``, in the unit of `values`.
    """
    lo, hi = np.percentile(values[valid].astype(np.float64), (1, 99))
    return float(lo), float(hi if hi > lo else lo + 1)


def psnr(truth: Array, mean: Array, where: Mask) -> float:
    """Peak signal-to-noise ratio in dB over the pixels in `where`; data range 1.

    Parameters
    ----------
    truth, mean : real ``[...]``
        Stretched to 0-1.
    where : bool, same shape
        Pixels that count.

    Returns
    -------
    float
        NaN where no pixel counts.

    Examples
    --------
    >>> truth, mean = np.array([0.2, 0.4]), np.array([0.3, 0.4])
    >>> round(psnr(truth, mean, truth > 0), 1)
    23.0
    """
    error = (mean[where].astype(np.float64) - truth[where]) ** 2
    return float(-10 * np.log10(max(float(error.mean()), 1e-20))) if error.size else float("nan")


def mae(truth: Array, mean: Array, where: Mask) -> float:
    """Mean absolute error over the pixels in `where`.

    Parameters
    ----------
    truth, mean : real ``[...]``
        Stretched to 0-1.
    where : bool, same shape
        Pixels that count.

    Returns
    -------
    float
        NaN where no pixel counts.

    Examples
    --------
    >>> truth, mean = np.array([0.2, 0.4]), np.array([0.3, 0.4])
    >>> round(mae(truth, mean, truth > 0), 3)
    0.05
    """
    error = np.abs(mean[where].astype(np.float64) - truth[where])
    return float(error.mean()) if error.size else float("nan")


def ssim(truth: Array, image: Array, valid: Mask | None = None) -> float:
    """Structural similarity of two whole images ``[y x]``, data range 1.

    Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03 (Wang et al. 2004). `valid` (bool ``[y x]``)
    restricts the mean to some pixels; elsewhere both images should hold the same value.

    Parameters
    ----------
    truth, image : real ``[y x]``
        Stretched to 0-1.
    valid : bool ``[y x]``, optional
        Pixels that count.

    Returns
    -------
    float
        1 where the images are the same.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> round(ssim(image, image), 3)
    1.0
    """
    x, y = truth.astype(np.float64), image.astype(np.float64)

    def blur(a: Array) -> Array:
        return ndimage.gaussian_filter(a, 1.5, truncate=3.5, mode="reflect")

    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(score.mean() if valid is None else score[valid].mean())


def crps(truth: Array, mean: Array, std: Array, where: Mask) -> float:
    """Continuous ranked probability score, mean over `where`; with std 0 the absolute error.

    Of the distribution that a std stands for: see `xinpaint.core.intervals`.

    Parameters
    ----------
    truth, mean : real ``[...]``
        Stretched to 0-1.
    std : real, same shape
        One standard deviation, in the same unit.
    where : bool, same shape
        Pixels that count.

    Returns
    -------
    float
        In the unit of the values; NaN where no pixel counts.

    Examples
    --------
    >>> truth, mean = np.array([0.2, 0.4]), np.array([0.3, 0.4])
    >>> round(crps(truth, mean, np.array([0.1, 0.1]), truth > 0), 4)
    0.0413
    """
    t, m, s = (a[where].astype(np.float64) for a in (truth, mean, std))
    return float(score(t - m, s).mean()) if t.size else float("nan")


def coverage(truth: Array, mean: Array, std: Array, where: Mask, level: float = 0.9) -> float:
    """Share of the pixels in `where` inside their central `level` interval.

    Parameters
    ----------
    truth, mean : real ``[...]``
        Stretched to 0-1.
    std : real, same shape
        One standard deviation, in the same unit.
    where : bool, same shape
        Pixels that count.
    level : float
        Size of the interval, 0 to 1.

    Returns
    -------
    float
        NaN where no pixel counts.

    Examples
    --------
    >>> truth, mean = np.array([0.2, 0.4]), np.array([0.3, 0.4])
    >>> coverage(truth, mean, np.array([0.01, 0.1]), truth > 0)
    0.5
    """
    inside = np.abs(truth[where] - mean[where]) <= half_width(level) * std[where]
    return float(inside.mean()) if inside.size else float("nan")
