"""Losses of a probabilistic filler; values are stretched to 0–1."""

from __future__ import annotations

import torch
from torch import Tensor


def beta_nll(mean: Tensor, std: Tensor, truth: Tensor, target: Tensor, beta: float) -> Tensor:
    """Gaussian negative log-likelihood, each pixel weighted by its own detached std^(2β).

    Seitzer et al. 2022, "On the pitfalls of heteroscedastic uncertainty estimation". β = 0 is
    maximum likelihood, β = 1 gives the mean the gradient of a squared error.

    Parameters
    ----------
    mean, std, truth, target : float ``[n b y x]``
        `target` is 1 where the loss counts.
    beta : float
        0 to 1.
    """
    std = std.clamp_min(2e-3)  # below the step of 8-bit data a likelihood rewards nothing real
    nll = 0.5 * ((truth - mean) / std) ** 2 + std.log()
    weighted = std.detach() ** (2 * beta) * nll * target
    return weighted.sum() / target.sum().clamp_min(1)


def ms_ssim_loss(mean: Tensor, truth: Tensor, context: Tensor, target: Tensor) -> Tensor:
    """1 − MS-SSIM of the composed image (context as it is, answers at the target).

    Wang et al. 2003, through pytorch-msssim; window 5, so patches must be above 64 pixels.
    """
    from pytorch_msssim import ms_ssim

    seen = context + target
    composed = torch.where(target > 0, mean, truth) * seen
    a, b = composed.clamp(0, 1).flatten(0, 1)[:, None], (truth * seen).clamp(0, 1).flatten(0, 1)
    return 1 - ms_ssim(a, b[:, None], data_range=1.0, win_size=5)  # type: ignore[no-any-return]
