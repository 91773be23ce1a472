"""Losses of a probabilistic filler; values are stretched to 0–1."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


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


def latent_nll(means: Tensor, stds: Tensor, truth: Tensor, target: Tensor, beta: float) -> Tensor:
    """Monte-Carlo negative log-likelihood of whole tasks under draws of their latents.

    Foong et al. 2020 (arXiv 2007.01332), equation 8: the log of the mean over draws of the
    likelihood of *all* target pixels of a task, divided by how many there are. Pixels are weighted
    as in :func:`beta_nll`, by the mean over draws.

    Parameters
    ----------
    means, stds : float ``[draws n b y x]``
    truth, target : float ``[n b y x]``
        `target` is 1 where the loss counts.
    beta : float
        0 to 1.
    """
    stds = stds.clamp_min(2e-3)
    weight = stds.detach().mean(0) ** (2 * beta) * target
    each = -(0.5 * ((truth - means) / stds) ** 2 + stds.log()) * weight
    task = each.sum((2, 3, 4)).logsumexp(0) - math.log(len(means))
    return -task.sum() / target.sum().clamp_min(1)


def psnr_loss(mean: Tensor, truth: Tensor, target: Tensor) -> Tensor:
    """−PSNR of each task's target pixels in nepers, ½ log(mean squared error), mean over tasks.

    A task's gradient is that of its squared error in units of that error: the pixels that are
    hard to know count in full, as β = 1 has it, and no task drowns another.

    Parameters
    ----------
    mean, truth, target : float ``[n b y x]``
        `target` is 1 where the loss counts.
    """
    error = ((mean - truth) ** 2 * target).sum((1, 2, 3)) / target.sum((1, 2, 3)).clamp_min(1)
    return 0.5 * (error + 1e-6).log().mean()


def hole_loss(mean: Tensor, truth: Tensor, context: Tensor, target: Tensor) -> Tensor:
    """PartialConv's loss without the terms that need a network trained on photographs.

    Liu et al. 2018 (arXiv 1804.07723), section 3.3: 6 · L1 in the hole + L1 outside + 0.1 · total
    variation of the composed image in the hole grown by a pixel.
    """
    hole = ((mean - truth).abs() * target).sum() / target.sum().clamp_min(1)
    valid = ((mean - truth).abs() * context).sum() / context.sum().clamp_min(1)
    composed = torch.where(target > 0, mean, truth) * (context + target)
    grown = F.max_pool2d(target, 3, 1, 1) * (context + target)
    down, right = grown[..., 1:, :] * grown[..., :-1, :], grown[..., 1:] * grown[..., :-1]
    rough = (composed.diff(dim=-2).abs() * down).sum() + (composed.diff(dim=-1).abs() * right).sum()
    return 6 * hole + valid + 0.1 * rough / grown.sum().clamp_min(1)


def ms_ssim_loss(mean: Tensor, truth: Tensor, context: Tensor, target: Tensor) -> Tensor:
    """1 − MS-SSIM of the composed image (context as it is, answers at the target).

    Wang et al. 2003, through pytorch-msssim; its four halvings need patches above 64 pixels
    under a window of 5, above 32 under the window of 3 that smaller ones get.
    """
    from pytorch_msssim import ms_ssim

    seen, window = context + target, 5 if min(mean.shape[-2:]) > 64 else 3
    composed = torch.where(target > 0, mean, truth) * seen
    a, b = composed.clamp(0, 1).flatten(0, 1)[:, None], (truth * seen).clamp(0, 1).flatten(0, 1)
    return 1 - ms_ssim(a, b[:, None], data_range=1.0, win_size=window)  # type: ignore[no-any-return]
