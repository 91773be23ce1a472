"""Where a training run stands, and the one step that moves it on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xinpaint.errors import RecipeError
from xinpaint.io.weights import find
from xinpaint.nets.convnp import ConvNP
from xinpaint.nets.table import NETS
from xinpaint.train import seasons
from xinpaint.train.objective import objective
from xinpaint.train.recipe import Recipe


@dataclass
class State:
    """What a checkpoint holds: where a run stands.

    With `patience` also the best average so far, its cost, and for how many validations in a row
    none was better.
    """

    net: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    best: dict[str, Tensor] | None = None
    least: float = math.inf
    stale: int = 0

    def judge(self, cost: float) -> None:
        """Keep the average if it costs less than the best so far; else grow less patient."""
        if cost < self.least:
            self.least, self.stale = cost, 0
            self.best = {k: v.detach().cpu().clone() for k, v in self.average.state_dict().items()}
        else:
            self.stale += 1


def begin(plan: Recipe, device: str) -> State:
    """The state before the first step.

    Raises
    ------
    RecipeError
        If there is no such net, or the weights to start from are not of its kind.
    """
    if plan.net not in NETS:
        raise RecipeError(f"net = {plan.net!r}: known nets are {sorted(NETS)}")
    torch.manual_seed(plan.seed)
    net, average = NETS[plan.net](**plan.numbers), NETS[plan.net](**plan.numbers)
    if plan.start:
        _adopt_file(net, "start", plan.start)
        for name, held in net.named_buffers(recurse=False):
            if name in ("temperature", "several"):  # what one run calibrated the next unlearns
                held.fill_(1.0)
    if plan.spatial:
        if not isinstance(net, ConvNP):
            raise RecipeError(f"spatial: net = {plan.net!r} has no spatial part; use start")
        _adopt_file(net.spatial, "spatial", plan.spatial)
    return learning(net.to(device).train(), average.to(device), plan)


def _adopt_file(net: nn.Module, key: str, name: str) -> None:
    begun = find(name).net("cpu")
    if type(begun) is not type(net):
        raise RecipeError(
            f"{key} = {name!r} is a {type(begun).__name__}; wanted weights of a "
            f"{type(net).__name__} (the spatial part of a net of dates has a key of its own: "
            "spatial)"
        )
    adopt(net, begun)


def adopt(net: nn.Module, poorer: nn.Module) -> None:
    """Begin with the weights of a net of the same kind that may be narrower or have fewer layers.

    Channels that it lacks start at 0; layers that it lacks stay as they are. Of the branch that
    bands share, only what it adds starts at 0: channels that gather nothing would never learn.

    Raises
    ------
    RecipeError
        If it has layers that this net lacks.
    """
    held, mine = poorer.state_dict(), net.state_dict()
    lost = sorted(set(held) - set(mine))
    if lost:
        raise RecipeError(
            f"the weights to start from have layers {lost[:3]} that this net lacks: start from "
            "others, or give [numbers] as the card of those weights does"
        )
    for name, tensor in mine.items():
        if name not in held:
            if ".spread." in name:
                tensor.zero_()
            continue
        begun = held[name]
        if tensor.shape != begun.shape:
            tensor[: len(begun) if ".gather." in name else None].zero_()
        tensor[tuple(slice(n) for n in begun.shape)] = begun


def learning(net: nn.Module, average: nn.Module, plan: Recipe) -> State:
    """A net that is to learn, and another of its kind that becomes its running average."""
    average.load_state_dict(net.state_dict())
    wanted = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(wanted, lr=plan.rate, weight_decay=plan.decay)
    return State(net, average.eval().requires_grad_(False), optimiser)


def advance(state: State, batch: Any, plan: Recipe, device: str) -> float:
    """One optimiser step; returns the loss, NaN where it or its gradient is not finite."""
    for group in state.optimiser.param_groups:
        group["lr"] = rate(plan, state.step)
    truth, target, given = batch.to(device)
    wanted = seasons.objective if plan.of_water else objective
    loss = wanted(state.net, truth, target, given, plan)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(state.net.parameters(), plan.clip)
    if not torch.isfinite(norm):
        return float("nan")  # a finite loss may have a gradient that is not
    if torch.isfinite(loss):
        state.optimiser.step()
        state.step += 1
        keep = min(plan.ema, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            for mine, theirs in zip(
                state.average.parameters(), state.net.parameters(), strict=True
            ):
                mine.lerp_(theirs, 1 - keep)
            for held, found in zip(state.average.buffers(), state.net.buffers(), strict=True):
                held.copy_(found)  # batch normalisation averages by itself
    return float(loss.detach())


def rate(plan: Recipe, step: int) -> float:
    """Learning rate of a step: linear warm-up, then a cosine to zero."""
    if step < plan.warmup:
        return plan.rate * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * 0.5 * (1 + math.cos(math.pi * done))
