"""Trained nets found in folders: what each is, on which loss and seed, and what it cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from xinpaint.errors import DataError
from xinpaint.io.weights import card, filler, find
from xinpaint.methods.base import Filler

#: The shipped default, asked for space alone.
OWN = "convnp"
#: The same budget: the order of the tables. Others follow by name.
ORDER = ("convcnp", "convlnp", "ongrid", "unet", "partialconv")
#: A recipe's loss has both terms, or one of them.
BOTH, LIKELIHOOD, SIMILARITY = "both", "likelihood", "MS-SSIM"


@dataclass(frozen=True)
class Run:
    """One weights file.

    `method` is its row in the tables; `main` whether it stands for its net there, `first` whether
    it is scored under every mask. `kind` is the net, and what it is made without.
    `cpu_seconds` is NaN where nothing says what training took.
    """

    method: str
    net: str
    kind: str
    loss: str
    steps: int
    seed: int
    path: str
    sha256: str
    parameters: int
    cpu_seconds: float
    main: bool = True
    first: bool = True

    def filler(self, **options: Any) -> Filler:
        """The net as a method of space."""
        return filler("convnp", weights=self.path, context="space", **options)


def read_runs(folders: Iterable[Path]) -> list[Run]:
    """Every weights file in folders or one level below them.

    For each net the runs of both losses and most steps are the main ones, the first seed first;
    the others, and those of a net that is made without something, are there for the ablation.

    Raises
    ------
    DataError
        If a folder holds none, or two are of the same net, loss, steps and seed.
    WeightsError
        If one is damaged or has no card.
    """
    found = []
    for folder in folders:
        paths = sorted({*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")})
        if not paths:
            raise DataError(f"no .safetensors in {folder} or one level below: train the nets first")
        found += [read_run(path) for path in paths]
    placed = _ordered([_placed(run, found) for run in found])
    for one, two in pairwise(placed):
        if (one.method, one.seed) == (two.method, two.seed):
            raise DataError(f"{one.path} and {two.path} are both {one.method}, seed {one.seed}")
    return placed


def read_run(path: Path | None, method: str = "") -> Run:
    """One weights file; without a path the shipped default, which went another way."""
    source = find(path)
    told = card(source.path)
    recipe, net = told["recipe"], str(told["net"])
    cost = Path(source.path).with_name("time.json")
    spent = json.loads(cost.read_text()) if path is not None and cost.is_file() else {}
    return Run(
        method or net,
        net,
        _kind(net, told["numbers"]),
        _loss(recipe),
        int(recipe.get("steps", 0)),
        int(recipe.get("seed", 0)),
        source.path,
        source.sha256,
        sum(p.numel() for p in source.net("cpu").parameters()),
        float(spent.get("cpu_seconds", math.nan)),
    )


def _kind(net: str, numbers: dict[str, Any]) -> str:
    plain = net == "convcnp" and not numbers.get("levels")
    return f"{net} without levels" if plain else net


def _loss(recipe: dict[str, Any]) -> str:
    if not recipe.get("ms_ssim", 0.5):
        return LIKELIHOOD
    return BOTH if recipe.get("nll", 1.0) else SIMILARITY


def _placed(run: Run, all_runs: list[Run]) -> Run:
    """Say whether it stands for its net, and what its row is called."""
    alike = [r for r in all_runs if r.kind == run.kind and r.loss == BOTH]
    steps = max((r.steps for r in alike), default=0)
    most = run.loss == BOTH and run.steps == steps
    if most and not _aside(run, all_runs):
        first = run.seed == min(r.seed for r in alike if r.steps == steps)
        return replace(run, method=_label(run.net), first=first)
    method = f"{_label(run.kind)}, {run.loss}"
    if run.loss == BOTH and not most:
        method += f" {run.steps}"
    return replace(run, method=method, main=False, first=False)


def _aside(run: Run, all_runs: list[Run]) -> bool:
    """Whether the same net is there with nothing left out."""
    return run.kind != run.net and any(r.kind == r.net == run.net for r in all_runs)


def _label(net: str) -> str:
    """A net trained alike must not be taken for the shipped default."""
    return f"{net} (run)" if net == OWN else net


def _ordered(runs: list[Run]) -> list[Run]:
    """Main ones first, nets in the order of the tables, then seeds."""
    place = {net: k for k, net in enumerate(ORDER)}
    return sorted(
        runs,
        key=lambda r: (not r.main, place.get(r.net, len(ORDER)), r.method, r.seed, r.path),
    )
