"""What the neighbours of a prediction add to it: as much smoothing as what was observed asks for.

A prediction carries the other date's noise and its own. How far it should move to the mean of its
eight neighbours is one number around each pixel, found by least squares on the residuals of pixels
that were observed (the linear shrinkage of Lee 1980, "Digital image enhancement and noise filtering
by use of local statistics", with the factor measured instead of assumed): 0 where every pixel is
worth its word, below 0 where the other date is the more blurred of the two.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from xinpaint.nets.planes import lone
from xinpaint.nets.setconv import window_sum

#: The window around a pixel whose residuals tell how much reaches 2·RADIUS pixels.
RADIUS = 8
#: Of residuals and differences that are as large as the noise, so many pixels say "not at all".
PRIOR = 10.0
#: Differences count up to so many standard deviations: a number that is no ground pulls no more.
MOST = 10.0
#: Farthest prediction that matters.
REACH = 2 * RADIUS + 1


def smoother(values: Tensor, context: Tensor, mean: Tensor, noise: Tensor) -> Tensor:
    """What smoothing adds to a prediction, by as much as helps where the truth is known.

    Parameters
    ----------
    values, context : float32 ``[n b y x]``
        The date to be filled, and where it was observed (1.0).
    mean, noise : float32 ``[n b y x]``
        The prediction, NaN where there is none, and its variance.

    Returns
    -------
    float32 ``[n b y x]``
        0 where nothing is predicted. For a > 0, a·values + b, a·mean + b and a²·noise give a times
        as much.
    """
    known = mean.isfinite() & (noise > 0)
    far = MOST * torch.where(known, noise, 0.0).sqrt()
    step = _apart(torch.where(known, mean, 0.0), known.to(mean.dtype), far)
    both = known & (context > 0)
    left = torch.where(both, values - mean, 0.0).clamp(-far, far).double()
    weight = torch.where(both, 1 / noise.double(), 0.0)
    wanted = window_sum(lone(weight * step.double() * left), RADIUS)
    most = window_sum(lone(weight * step.double() ** 2), RADIUS) + PRIOR * (2 * RADIUS + 1) ** 2
    share = (wanted / most).clamp(-1, 1).reshape(mean.shape)
    return share.to(mean.dtype) * step


def _apart(mean: Tensor, known: Tensor, far: Tensor) -> Tensor:
    """How far the mean of the known ones of a pixel and its eight neighbours lies from it."""
    size = mean.shape[2:]
    wide, there = F.pad(mean, (1, 1, 1, 1)), F.pad(known, (1, 1, 1, 1))
    total, count = torch.zeros_like(mean), torch.zeros_like(mean)
    for y in range(3):
        for x in range(3):
            spot = (..., slice(y, y + size[0]), slice(x, x + size[1]))
            total.addcmul_(there[spot], (wide[spot] - mean).clamp(-far, far))
            count.add_(there[spot])
    return torch.where(known > 0, total / count.clamp_min(1), 0.0)
