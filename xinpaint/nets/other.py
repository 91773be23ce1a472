"""What one other date has to say of the one to be filled, before any weight looks at it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from xinpaint.nets.align import align
from xinpaint.nets.planes import unit
from xinpaint.nets.regression import Regression, regressions
from xinpaint.nets.ridge import NEAR
from xinpaint.nets.setconv import local_density, local_statistics

#: Half side of the narrow window of a fine net, in cells.
NARROW = 1


class Other(NamedTuple):
    """What is known of one other date.

    Its regression, how far the narrow one is from it (`finer`, 0 where there is none), its own
    z-scores ``[n b y x]``, and days away ``[n]``.
    """

    regression: Regression
    finer: Tensor
    own: Tensor
    away: Tensor


def look(
    values: Tensor,
    context: Tensor,
    other: Tensor,
    mask: Tensor,
    away: Tensor,
    fine: bool = False,
    aligned: bool = False,
) -> Other:
    """What another date ``[n b y x]`` says, `aligned` or as it came; with a narrow window, too."""
    other = torch.where(mask > 0, other, torch.zeros_like(other))
    if aligned:
        other = align(values, context, other, mask)
    found = regressions(values, context, other, mask, (NEAR, NARROW) if fine else (NEAR,))
    finer = (found[-1].mean - found[0].mean).nan_to_num()
    return Other(found[0], finer, _own(other, mask), away)


def _own(other: Tensor, mask: Tensor) -> Tensor:
    """The other date's own z-scores, ``[n b y x]``."""
    mean, spread = local_statistics(other, local_density(mask, 6), 6)
    return unit(other - mean, spread, mask > 0)
