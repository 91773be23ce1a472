"""Checkpoints: written whole or not at all, resumed only by the recipe that wrote them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from xinpaint.errors import RecipeError
from xinpaint.train.recipe import Recipe
from xinpaint.train.state import State

#: The file in the folder of a run.
NAME = "checkpoint.pt"


def write(state: State, plan: Recipe, out: Path) -> None:
    """Write the checkpoint beside the old one, then put it in its place."""
    held = {
        "recipe": plan.asdict(),
        "step": state.step,
        "net": state.net.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "best": state.best,
        "least": state.least,
        "stale": state.stale,
    }
    part = out / f"{NAME}.partial"
    with part.open("wb") as file:
        torch.save(held, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(out / NAME)


def resume(state: State, plan: Recipe, out: Path, device: str) -> None:
    """Take up where the run in `out` stands, if there is one.

    Keys that a recipe has gained since the checkpoint was written count as their defaults.

    Raises
    ------
    RecipeError
        If it is of another recipe; names the keys.
    """
    path = out / NAME
    if not path.exists():
        return
    held = torch.load(path, map_location=device, weights_only=True)
    if other := _changed(held["recipe"], plan):
        raise RecipeError(
            f"{path} is of another recipe ({', '.join(other)}): choose another folder or remove it"
        )
    state.step = held["step"]
    state.net.load_state_dict(held["net"])
    state.average.load_state_dict(held["average"])
    state.optimiser.load_state_dict(held["optimiser"])
    state.best, state.least, state.stale = held["best"], held["least"], held["stale"]


def _changed(held: Any, plan: Recipe) -> list[str]:
    """Keys in which a checkpoint's recipe is not this one."""
    if not isinstance(held, dict):
        return ["written by an older version"]
    before = {**Recipe("", ()).asdict(), **held}
    now = plan.asdict()
    return sorted(key for key in before.keys() | now if before.get(key) != now.get(key))
