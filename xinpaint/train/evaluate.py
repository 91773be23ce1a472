"""Scores of a net on fixed tasks, and the one number that calibrates its spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from xinpaint.core import masks
from xinpaint.core.intervals import half_width, score
from xinpaint.nets.convnp import ConvNP
from xinpaint.train.data import Batch, Bool, Image
from xinpaint.train.stacks import Stack, sample_dates

#: Gaps of validation tasks, from a bank, a shape and a number: always the same ones.
GAPS: Mapping[str, Callable[[Bool, tuple[int, int], int], Bool]] = {
    "real": lambda bank, shape, k: masks.transplant(bank, shape, seed=1000 + k),
    "edge": lambda _, shape, k: masks.scan_lines(shape, seed=2000 + k, position=0.95),
    "wide": lambda _, shape, k: masks.scan_lines(shape, seed=3000 + k, position=0.95, width=3),
    "clouds": lambda _, shape, k: masks.clouds(shape, seed=4000 + k, fraction=0.25),
}
#: How often `several` is corrected: it acts on a part of each pixel's spread only.
_ROUNDS = 4
#: Name of validation tasks whose other dates are made.
_MADE = "pseudo-dates"
#: How far the gate between other dates and space may be shifted.
OFFSETS = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Score:
    """Means over the tasks: PSNR in dB on hidden pixels, coverage of the central 90 %, CRPS.

    A net that gives no spread has no coverage (NaN), and its CRPS is the mean absolute error.
    """

    psnr: float
    coverage: float
    crps: float

    @property
    def cost(self) -> float:
        """What patience wants smaller: the CRPS."""
        return self.crps

    def asdict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"PSNR {self.psnr:.3f} dB, 90 % covers {self.coverage:.3f}, CRPS {self.crps:.5f}"


def validation_tasks(
    images: list[Image], bank: Bool, kinds: Sequence[str], side: int = 256
) -> list[Batch]:
    """A fixed task for each image and each of some kinds of :data:`GAPS`."""
    tasks = []
    for k, image in enumerate(images):
        height, width = (min(side, n // 8 * 8) for n in image.valid.shape[1:])
        valid = image.valid[:, :height, :width]
        for kind in kinds:
            gap = GAPS[kind](bank, (height, width), k)
            parts = (image.values[:, :height, :width], valid & ~gap, valid & gap)
            arrays = (p[None].astype(np.float32) for p in parts)
            tasks.append(Batch(*arrays, name=f"{image.name} {kind}"))
    return tasks


def validation_dates(
    images: list[Image], stacks: list[Stack], bank: Bool, kinds: Sequence[str], side: int = 256
) -> list[Batch]:
    """Fixed tasks with other dates: real stacks (each date once the target), and pseudo-dates."""
    tasks = []
    for stack in stacks:
        height, width = (min(side, n // 8 * 8) for n in stack.valid.shape[2:])
        values, valid = stack.values[..., :height, :width], stack.valid[..., :height, :width]
        for date in np.flatnonzero(stack.whole)[:4]:
            rest = [k for k in range(len(values)) if k != date][:6]
            away = (stack.days[rest] - stack.days[date])[None].astype(np.float32)
            for kind in kinds:
                gap = GAPS[kind](bank, (height, width), int(date))
                space = (values[date], valid[date] & ~gap, valid[date] & gap)
                arrays = [p[None].astype(np.float32) for p in (*space, values[rest], valid[rest])]
                truth, context, target, others, known = arrays
                name = f"{stack.name} {date} {kind}"
                tasks.append(Batch(truth, context, target, others, known, away, name=name))
    for k in range(16 if images else 0):
        drawn = sample_dates((images, []), bank, patch=96, batch=24, dates=6, seed=[7, k])
        tasks.append(replace(drawn, name=f"{_MADE} {k}"))
    return tasks


def probabilistic(net: nn.Module) -> bool:
    """Whether a net says how sure it is."""
    return bool(getattr(net, "probabilistic", True))


def _answers(net: nn.Module, task: Batch, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, mean and std of the hidden pixels that the net answers, flat."""
    truth, target, given = task.to(device)
    with torch.inference_mode():
        mean, std = net(*given)
    wanted = (target > 0) & mean.isfinite()
    return truth[wanted], mean[wanted], std[wanted]


def validate(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> Score:
    """Score a net on fixed tasks; values are stretched to 0–1."""
    rows = []
    for task in tasks:
        truth, mean, std = _answers(net, task, device)
        error = (truth - mean).double()
        spread = _spread(error, std) if probabilistic(net) else [np.nan, float(error.abs().mean())]
        rows.append([-10 * float((error**2).mean().log10()), *spread])
    return Score(*(float(v) for v in np.mean(rows, axis=0)))


def _spread(error: Tensor, std: Tensor) -> list[float]:
    """Coverage of the central 90 % and CRPS."""
    errors, spreads = error.double().cpu().numpy(), std.double().cpu().numpy()
    inside = np.abs(errors) <= half_width(0.9) * np.maximum(spreads, 1e-9)
    return [float(inside.mean()), float(score(errors, spreads).mean())]


def balance(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> float:
    """Shift a net's gate between other dates and space to where real dates are filled best.

    A net learns from made dates, too, which deserve more trust than real ones do, and its loss
    looks at more than the error; so it trusts dates a little too much. The offset, one of
    :data:`OFFSETS`, becomes part of the net and is returned: 0 for other nets, and without tasks of
    real dates.
    """
    real = [t for t in tasks if t.others is not None and not t.name.startswith(_MADE)]
    if not isinstance(net, ConvNP) or not real:
        return 0.0
    assert net.decide.bias is not None
    gate = net.decide.bias.data
    begun, scores = gate[0].clone(), {}
    for offset in OFFSETS:
        gate[0] = begun + offset
        scores[offset] = validate(net, real, device).psnr
    best = max(scores, key=scores.__getitem__)
    gate[0] = begun + best
    return best


def calibrate(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> float:
    """Scale the net's spread so that its central 90 % interval covers 90 % of hidden pixels.

    The factor multiplies the net's own ``temperature`` buffer and is returned.
    """
    if not probabilistic(net):
        return 1.0
    factor = _factor(net, tasks, device)
    net.get_buffer("temperature").mul_(factor)
    return factor


def widen(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> float:
    """Widen the spread where several dates differ, until it holds on real dates, too.

    Made dates err each by itself, real ones together: a net that learned from both is too sure
    where several speak. The factor is the net's ``several`` buffer, never below 1, and is returned:
    1 for other nets, and without such tasks.
    """
    if not tasks or "several" not in dict(net.named_buffers()):
        return 1.0
    several = net.get_buffer("several")
    for _ in range(_ROUNDS):
        several.mul_(_factor(net, tasks, device)).clamp_(min=1)
    return float(several)


def _factor(net: nn.Module, tasks: list[Batch], device: str) -> float:
    """What the spread of a net must be multiplied by on these tasks, each of the same weight."""
    ratios, weights = [], []
    for task in tasks:
        truth, mean, std = _answers(net, task, device)
        ratios.append(((truth - mean).abs() / std.clamp_min(1e-9)).cpu().numpy())
        weights.append(np.full(truth.numel(), 1 / max(1, truth.numel())))
    ratio, weight = np.concatenate(ratios), np.concatenate(weights)
    order = np.argsort(ratio)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(ratio[order][np.searchsorted(share, 0.9)] / stats.norm.ppf(0.95))
