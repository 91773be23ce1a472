"""What a training step makes smaller: the loss that each net is published with, and MS-SSIM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xinpaint.nets.convlnp import ConvLNP
from xinpaint.train.evaluate import probabilistic
from xinpaint.train.losses import beta_nll, hole_loss, latent_nll, ms_ssim_loss, psnr_loss
from xinpaint.train.recipe import Recipe


def objective(
    net: nn.Module, truth: Tensor, target: Tensor, given: tuple[Tensor, ...], plan: Recipe
) -> Tensor:
    """Weighted sum of the net's own loss, 1 − MS-SSIM and −PSNR of the pixels it can answer.

    Its own loss is the β-NLL, the Monte-Carlo likelihood for a latent net, PartialConv's for a net
    without a spread.
    """
    latent = isinstance(net, ConvLNP)
    with torch.autocast(truth.device.type, torch.bfloat16, enabled=plan.bf16):
        mean, std = net.samples(*given) if isinstance(net, ConvLNP) else net(*given)
    answered = mean[0].isfinite() if latent else mean.isfinite()
    target, mean, std = target * answered, mean.nan_to_num(), std.nan_to_num(1.0)
    loss = torch.zeros((), device=truth.device)
    if plan.nll and latent:
        loss = plan.nll * latent_nll(mean, std, truth, target, plan.beta)
    elif plan.nll and probabilistic(net):
        loss = plan.nll * beta_nll(mean, std, truth, target, plan.beta)
    elif plan.nll:
        loss = plan.nll * hole_loss(mean, truth, given[1] * answered, target)
    whole = mean.mean(0) if latent else mean
    if plan.psnr:
        loss = loss + plan.psnr * psnr_loss(whole, truth, target)
    if plan.ms_ssim:
        loss = loss + plan.ms_ssim * ms_ssim_loss(whole, truth, given[1], target)
    return loss
