"""What neighbours of a pixel that look like it on another date say of a prediction's residual.

A regression holds for a window of many kinds of ground. Residuals differ from field to field, and
the other date shows which pixels around a gap lie in the same field: their residuals, averaged with
weights that fall with distance on the ground and in the other date's colours, belong to the gap's
pixel, too (the bilateral filter of Tomasi and Manduchi 1998, on residuals; Chen et al. 2011,
doi 10.1016/j.rse.2010.12.010, interpolate by such "similar pixels" alone).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: Farthest neighbour along an axis, in pixels.
REACH = 8
#: Neighbours, and how many each stands for: all that are near, every second along an axis beyond.
NEIGHBOURS = [
    (y, x, 1 if y * y + x * x <= 10 else 4)
    for y in range(-REACH, REACH + 1)
    for x in range(-REACH, REACH + 1)
    if 0 < y * y + x * x <= 10 or (10 < y * y + x * x <= 68 and y % 2 == x % 2 == 0)
]
#: A root mean square difference in colour, in local spreads, that makes a weight a quarter.
COLOUR = 0.45
#: Weight of there being no residual.
NONE = 0.003


def similar(
    residual: Tensor, both: Tensor, other: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor]:
    """Weighted mean of the neighbours' residuals, shrunk where no neighbour is alike.

    A neighbour at distance r whose colours differ by d (mean square, in units of `COLOUR` local
    spreads) has the weight 1 / (r² (1 + d))²; a pixel's own residual is not looked at.

    Parameters
    ----------
    residual : float32 ``[n b y x]``
        Observed minus predicted, 0 where not `both`.
    both : float32 ``[n b y x]``
        1 where residuals are known.
    other, inverse : float32 ``[n c y x]``
        The other date, and 1 / its local spread (0 where it is flat or not known).

    Returns
    -------
    mean : float32 ``[n b y x]``
        Times a for values → a·values + b on both dates, a > 0.
    weight : float32 ``[n b y x]``
        The sum of weights, 0 where there is no neighbour: the same in any unit.
    """
    size = other.shape[2:]
    if bool((both == both[:, :1]).all()):
        both = both[:, :1]
    edge = (REACH,) * 4
    wide = [F.pad(part, edge) for part in (residual, both, other)]
    inverse = inverse / (COLOUR * other.shape[1] ** 0.5)
    total, weight = torch.zeros_like(residual), torch.zeros_like(both)
    for y, x, count in NEIGHBOURS:
        rows, columns = slice(REACH + y, REACH + y + size[0]), slice(REACH + x, REACH + x + size[1])
        theirs, known, colours = (part[..., rows, columns] for part in wide)
        apart = (colours - other).mul_(inverse).square_().sum(1, keepdim=True)
        # values that are not numbers of this world are unlike everything
        one = known * (count / (y * y + x * x) ** 2) / (1 + apart.nan_to_num(torch.inf)).square_()
        total.addcmul_(one, theirs)
        weight.add_(one)
    return total / (weight + NONE), weight.expand_as(residual)
