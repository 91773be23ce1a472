"""Other dates moved onto the one to be filled: a part of a pixel, measured around each pixel.

Images of one place lie a tenth to four tenths of a pixel apart, and that is enough to blur what one
says of the other. Around every pixel the shift is found that best explains the residuals of a first
regression in a narrow window by its gradients (Lucas and Kanade 1981, "An iterative image
registration technique with an application to stereo vision"), all bands together, each by how well
it is explained; the date is then resampled by it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xinpaint.nets.regression import Regression, regressions
from xinpaint.nets.ridge import CELL
from xinpaint.nets.setconv import window_sum

#: The window around a pixel whose gradients tell the shift reaches 2·RADIUS pixels.
RADIUS = 8
#: Half side of the first regression's window, in cells.
NARROW = 1
#: Dates are moved by this many pixels at most, along y and along x.
MOST = 0.75
#: What is known of a shift before anything is seen, as pixels whose gradient is their noise: 0.
PRIOR = 10.0
#: Farthest pixel that matters: the first regression, its gradient, the window, the neighbour.
REACH = CELL * NARROW + (CELL - 1) + CELL + 1 + 2 * RADIUS + 1


def shift(values: Tensor, context: Tensor, found: Regression) -> tuple[Tensor, Tensor]:
    """How far to the other date's pixel that belongs to each pixel, along y and x.

    Parameters
    ----------
    values, context : float32 ``[n b y x]``
        The date to be filled, zero outside the context (1.0).
    found : Regression
        What the other date says of it.

    Returns
    -------
    down, across : float32 ``[n 1 y x]``
        In pixels, within ±:data:`MOST`; 0 where nothing tells.
    """
    known = found.mean.isfinite()
    guess = torch.where(known, found.mean, torch.zeros_like(values))
    whole = _whole(known.to(values.dtype)) & (context > 0)
    least = 1e-6 * found.spread**2
    noise = torch.maximum(found.error, least)
    weight = torch.where(whole & (noise > 0), 1 / noise, torch.zeros_like(noise)).nan_to_num()
    down, across = _slope(guess, 2), _slope(guess, 3)
    left = values - guess

    def summed(x: Tensor) -> Tensor:
        one = (weight.double() * x).sum(1, keepdim=True)
        return window_sum(one, RADIUS) / (2 * RADIUS + 1) ** 2

    yy, xx = (summed(part.double() ** 2) + PRIOR for part in (down, across))
    xy = summed(down.double() * across)
    to_y, to_x = (summed(part.double() * left) for part in (down, across))
    area = yy * xx - xy**2
    told = ((xx * to_y - xy * to_x) / area, (yy * to_x - xy * to_y) / area)
    moved_y, moved_x = (part.clamp(-MOST, MOST).to(values.dtype) for part in told)
    return moved_y, moved_x


def moved(other: Tensor, mask: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """A date ``[n b y x]`` read at its pixels' places plus a shift ``[n 1 y x]``.

    By quadratic interpolation between the three nearest pixels along each axis; a pixel with one
    of them missing keeps its value.
    """
    wide = F.pad(other, (1, 1, 1, 1))
    height, width = other.shape[2:]
    made = torch.zeros_like(other)
    for j, vertical in enumerate(_weights(down)):
        row = torch.zeros_like(other)
        for i, horizontal in enumerate(_weights(across)):
            row.addcmul_(wide[..., j : j + height, i : i + width], horizontal)
        made.addcmul_(row, vertical)
    return torch.where(_whole(mask), made, other)


def align(values: Tensor, context: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Another date ``[n b y x]`` (zero outside `mask`) moved onto the one to be filled."""
    found = regressions(values, context, other, mask, (NARROW,), rough=True)[0]
    return moved(other, mask * found.seen.all(1, keepdim=True), *shift(values, context, found))


def _weights(by: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the pixel before, the pixel itself and the one after, for a shift of `by`."""
    return by * (by - 1) / 2, 1 - by**2, by * (by + 1) / 2


def _whole(mask: Tensor) -> Tensor:
    """Where a pixel and all its eight neighbours are there; none are beyond the edge."""
    return F.avg_pool2d(mask, 3, 1, 1) > 0.999


def _slope(x: Tensor, dim: int) -> Tensor:
    """Change of ``[n b y x]`` a pixel along an axis."""
    size = x.shape[dim]
    wide = F.pad(x, (0, 0, 1, 1) if dim == 2 else (1, 1))  # pixels at an edge are not used
    return (wide.narrow(dim, 2, size) - wide.narrow(dim, 0, size)) / 2
