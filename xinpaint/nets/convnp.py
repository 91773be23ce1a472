"""The spatio-temporal net: other dates as context sets, trusted where they explain this one.

Each other date gives every pixel a local regression (:mod:`xinpaint.nets.regression`) and the
evidence for it. One encoder, the same for every date and band, looks at each date by itself;
attention per pixel then says how much each is believed there, so any number of dates in any order
will do. A small trunk corrects what they say together, and a gate per pixel chooses between that
and the answer from space alone, which is a whole ConvCNP of its own: without other dates its
answer is given unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.align import REACH as ALIGNED
from xinpaint.nets.convcnp import STRIDE, Block, ConvCNP
from xinpaint.nets.frame import Frame
from xinpaint.nets.other import Hints, Other, Sight, Ways, deep, look, mixed, smoothed
from xinpaint.nets.planes import (
    bands_of,
    each,
    full,
    half,
    joined,
    lone,
    pieces,
    quarters,
    raised,
    root,
    shuffled,
    total,
    unit,
)
from xinpaint.nets.regression import REACH, Evidence, differing, weigh
from xinpaint.nets.setconv import local_density, local_statistics
from xinpaint.nets.smooth import REACH as SMOOTHED
from xinpaint.nets.turns import averaged, check_turns, flipped

#: The unit of what the trunk sees: local statistics that reach twice as far, in pixels.
UNIT = 12
#: The share of that window's weight which must be context for the trunk to have learned from such.
ENOUGH = 0.01


class ConvNP(nn.Module):
    """Conditional neural process over space and dates.

    Parameters
    ----------
    spatial : mapping
        Numbers of the ConvCNP that answers from space alone.
    width, deep : int
        Channels a band at 1/2 and 1/4 of the resolution.
    shared : int
        Channels of the branch shared by all bands.
    turns : {1, 2, 4}
        Orientations whose answers are averaged (:mod:`xinpaint.nets.turns`); one in training.
    **ways : bool
        See :class:`~xinpaint.nets.other.Ways`.
    """

    stride = STRIDE

    def __init__(
        self,
        spatial: Mapping[str, Any] | None = None,
        width: int = 32,
        deep: int = 64,
        shared: int = 64,
        turns: int = 1,
        **ways: bool,
    ) -> None:
        super().__init__()
        self.ways, self.turns = Ways(**ways), check_turns(turns)
        fine, _, alike, smooth = self.ways
        hints = fine + 2 * alike + smooth
        self.spatial = ConvCNP(**(spatial or {}))
        self.date_in = nn.Conv2d(26 + 4 * fine + 8 * alike, width, 3, padding=1)
        self.date = Block(width, 0)
        self.together = nn.Conv2d(width, width, 1)
        self.trust = nn.Conv2d(width, 4, 1)
        self.enter_in = nn.Conv2d(width + 32 + 4 * hints, width, 3, padding=1)
        self.enter = Block(width, shared)
        self.down = nn.Conv2d(width, deep, 2, stride=2)
        self.deep = Block(deep, shared)
        self.up = nn.ConvTranspose2d(deep, width, 2, stride=2)
        self.leave = Block(width, 0)
        self.head = nn.Conv2d(width, 4 * 8, 1)
        self.gate = nn.Conv2d(8 + 6 + hints, 16, 1)
        self.decide = nn.Conv2d(16, 3 + fine + alike + smooth, 1)
        for last in (self.trust, self.decide):
            nn.init.normal_(last.weight, std=0.01)
            last.bias.data.zero_()  # type: ignore[union-attr]
        self.temperature: Tensor
        self.several: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("several", torch.ones(()))  # as temperature, where dates differ

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter."""
        before = max(2 * (1 + 2), self.ways.smooth * SMOOTHED)
        trunk = 2 * (1 + 2) + 4 * 2 + 2 * 2 + 3
        return max(self.spatial.reach, REACH + before + trunk + self.ways.align * ALIGNED)

    def train(self, mode: bool = True) -> ConvNP:
        """Train everything but the spatial part, which stays as it came."""
        super().train(mode)
        self.spatial.train(False).requires_grad_(False)
        return self

    def forward(
        self,
        values: Tensor,
        context: Tensor,
        others: Tensor | None = None,
        others_context: Tensor | None = None,
        away: Tensor | None = None,
        *,
        turns: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every pixel, in the unit of `values`.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            y and x multiples of 8, aligned to the grid; values are read under context (1.0) only.
        others, others_context : float32 ``[n k b y x]``, optional
            The other dates, in any order; the same bands and unit.
        away : float32 ``[n k]``, optional
            Their distance in days, signed.
        turns : {1, 2, 4}, optional
            Orientations, if not the net's own number of them.

        Returns
        -------
        mean, std : float32 ``[n b y x]``
            NaN where too little context is in reach.
        """
        values = torch.where(context > 0, values, torch.zeros_like(values))
        far = self.spatial.frame(values, context)
        with torch.no_grad():
            space = self.spatial.respond(far, context, turns)
        if others is None or others_context is None or away is None or not others.shape[1]:
            return space
        with torch.no_grad(), torch.autocast(values.device.type, enabled=False):
            rows = zip(others.unbind(1), others_context.unbind(1), away.unbind(1), strict=True)
            dates = [look(values, context, *row, *self.ways[:3]) for row in rows]
            smooth = [smoothed(values, context, dates)] if self.ways.smooth else []
        # what the trunk sees must not reach as far as the answers' unit does
        density = local_density(context, UNIT)
        mean, spread = local_statistics(values, density, UNIT)
        near = (density / (ENOUGH * (2 * UNIT + 1) ** 4)).clamp_max(1)
        frame = Frame(far.z, mean.nan_to_num(), spread.nan_to_num(), far.support)
        count = turns or (1 if self.training else self.turns)

        def answer(axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
            sight = flipped(Sight(values, context, frame), axes)
            evidence, hints, deeper = self._weigh(sight, dates, axes)
            hints = hints._replace(smooth=flipped(smooth, axes))
            x = self._trunk(sight, evidence, hints, deeper)
            told = [
                self._decide(
                    *flipped(bands_of((far, space), one), axes),
                    *bands_of((evidence, hints, x), one),
                )
                for one in pieces(values.shape[1], values)
            ]
            mean, std = (torch.cat(parts, 1) for parts in zip(*told, strict=True))
            return mean, std

        told = list(zip(others.unbind(1), others_context.unbind(1), strict=True))
        return deep(averaged(answer, count), space, dates, near, (values, context), told)

    def _weigh(
        self, sight: Sight, dates: list[Other], axes: tuple[int, ...]
    ) -> tuple[Evidence, Hints, Tensor]:
        """`_believe`, of all bands, with dates that are still to be flipped."""
        told = [
            self._believe(bands_of(sight, one), flipped(bands_of(dates, one), axes))
            for one in pieces(sight.values.shape[1], sight.values)
        ]
        evidence, hints, deeper = joined(told)
        return evidence, hints, deeper

    def _believe(self, sight: Sight, dates: list[Other]) -> tuple[Evidence, Hints, Tensor]:
        """Evidence of some bands by how much each date is believed in each pixel.

        The dates' hints and own channels ``[n b width y/2 x/2]`` are mixed likewise.
        """
        found = [date.regression for date in dates]
        plain = weigh(found)[0]
        told = [self._encode(sight, plain, date) for date in dates]
        seen = [half(r.mean.isfinite()) for r in found]
        pooled = total(h * s for h, s in zip(told, seen, strict=True))
        pooled = self.together(pooled / total(seen).clamp_min(1e-6))
        trust = [full(self.trust(F.relu(h + pooled)), sight.values.shape).float() for h in told]
        evidence, weights = weigh(found, trust)
        deeper = total(h * half(w) for h, w in zip(told, weights, strict=True))
        hints = mixed([date.hints for date in dates], weights)
        return evidence, hints, deeper.unflatten(0, sight.values.shape[:2])

    def _encode(self, sight: Sight, plain: Evidence, date: Other) -> Tensor:
        """One date and band at half the resolution, ``[n·b width y/2 x/2]``."""
        values, context, frame = sight
        regression = date.regression
        known = regression.mean.isfinite()
        both = known & (context > 0)
        near = [
            unit(regression.mean - frame.mean, frame.spread, known),
            unit(regression.mean - plain.mean, frame.spread, known),
            unit(values - regression.mean, frame.spread, both),
            date.own,
            known.to(values.dtype),
            both.to(values.dtype),
        ]
        unexplained = regression.error / regression.spread.clamp_min(1e-30) ** 2
        unexplained = torch.where(known & (regression.spread > 0), unexplained, 1.0)
        evidence = half(unexplained.clamp(1e-4, 1).log() / 4)
        when = (date.away.abs() / 16).log1p()[:, None, None, None] / 3
        more = [evidence, half(when.expand_as(values))]
        more += [quarters(hint) for hint in date.hints.in_units(frame.spread, known)]
        x = self.date_in(shuffled(near, more))
        deeper: Tensor = self.date(F.relu(x, inplace=True), 1)
        return deeper

    def _trunk(self, sight: Sight, evidence: Evidence, hints: Hints, deeper: Tensor) -> Tensor:
        """What all bands and dates say together, ``[n b width y/2 x/2]``."""
        values, context, frame = sight
        bands = values.shape[1]
        there = evidence.seen & (context > 0)
        near = [
            frame.z,
            context,
            unit(evidence.mean - frame.mean, frame.spread, evidence.seen),
            unit(root(evidence.error), frame.spread, evidence.seen),
            unit(root(evidence.apart), frame.spread, evidence.seen),
            unit(values - evidence.mean, frame.spread, there),
            evidence.seen.to(values.dtype),
            there.to(values.dtype),
        ]
        near += hints.in_units(frame.spread, evidence.seen)
        rows = (lone(part) for part in near)
        x = self.enter(each(self._open, deeper.flatten(0, 1), *rows), bands)
        deeper = self.deep(each(self.down, x), bands)
        x = each(partial(raised, self.up), x, deeper, out=x)
        told: Tensor = x.unflatten(0, values.shape[:2])
        return told

    def _open(self, mixed: Tensor, *near: Tensor) -> Tensor:
        more = [mixed, *(quarters(part) for part in near[8:])]
        entered: Tensor = F.relu(self.enter_in(shuffled(near[:8], more)), inplace=True)
        return entered

    def _decide(
        self,
        frame: Frame,
        space: tuple[Tensor, Tensor],
        evidence: Evidence,
        hints: Hints,
        x: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Correct what the dates say and choose, pixel by pixel, between them and space."""
        x = self.head(F.relu(self.leave(x.flatten(0, 1), x.shape[1]), inplace=True))
        head = F.pixel_shuffle(x, 2).float().unflatten(0, frame.z.shape[:2])
        lost, seen = space[0].isnan(), evidence.seen
        spatial, doubt = space[0].nan_to_num(), space[1].nan_to_num() / frame.doubt
        scale = root(evidence.error + evidence.apart + 0.01 * frame.spread**2)
        scale = torch.where(seen, scale, torch.zeros_like(scale))
        gap = unit(spatial - evidence.mean, frame.spread, seen & ~lost)
        told = [
            gap,
            gap.abs(),
            unit(spatial - evidence.mean, doubt, seen & ~lost),
            unit(doubt, frame.spread, ~lost),
            unit(scale, frame.spread, seen),
            unit(root(evidence.apart), frame.spread, seen),
        ]
        told += hints.in_units(frame.spread, seen)
        features = torch.cat([head, torch.stack(told, 2)], 2).flatten(0, 1)
        out = self.decide(F.relu(self.gate(features))).unflatten(0, frame.z.shape[:2]).float()
        share = torch.sigmoid(out[:, :, 0] - 2)
        share = torch.where(lost, torch.zeros_like(share), share)
        time = torch.where(seen, evidence.mean, torch.zeros_like(spatial)) + scale * out[:, :, 1]
        for k, hint in enumerate(hints.apart + hints.smooth):
            time = time + torch.where(seen, hint, torch.zeros_like(hint)) * out[:, :, 3 + k]
        mean = time + share * (spatial - time)
        width = root((1 - share) * scale**2 + share * doubt**2)
        heat = self.temperature * (1 + (self.several - 1) * differing(evidence))
        std = width * (0.05 + F.softplus(out[:, :, 2] + 0.5)) * heat
        return torch.where(seen, mean, space[0]), torch.where(seen, std, space[1])
