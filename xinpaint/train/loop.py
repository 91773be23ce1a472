"""The training loop: flat, resumable, the same curve whether interrupted or not.

The data of step k depends on the recipe's seed and k alone, and a checkpoint holds the net, its
average and the optimiser; so a run that is killed and resumed follows the unbroken one.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from tqdm import tqdm

from xinpaint.errors import RecipeError, TrainingError
from xinpaint.io.weights import ANY_BANDS, find, save
from xinpaint.nets.convnp import ConvNP
from xinpaint.nets.table import NETS
from xinpaint.train import evaluate, seasons
from xinpaint.train.cubes import read_images, read_masks, read_stacks
from xinpaint.train.data import Batch, Image, data_folder, sample
from xinpaint.train.evaluate import Score, validation_dates, validation_tasks
from xinpaint.train.objective import objective
from xinpaint.train.recipe import Recipe, read
from xinpaint.train.stacks import Stack, sample_dates

Source = TypeVar("Source", Image, Stack)


@dataclass
class State:
    """What a checkpoint holds: where a run stands."""

    net: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0


def fit(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Train a net by a recipe and write ``<out>/<name>.safetensors`` with its card.

    A run found in `out` with the same recipe is resumed; a finished one is only written again.

    Parameters
    ----------
    recipe : Recipe or path
        The recipe or its TOML file.
    out : path
        Folder for checkpoint, log and weights.
    data : path, optional
        Data folder; ``XINPAINT_DATA`` where not given.
    device : str
        A torch device.
    progress : bool
        Show a progress bar with loss and time left.

    Returns
    -------
    Path
        The weights file, usable as ``weights=``.

    Raises
    ------
    RecipeError, DataError
        Before any work starts.
    TrainingError
        If the loss is no longer finite; names the last good checkpoint.
    """
    plan = recipe if isinstance(recipe, Recipe) else read(recipe)
    judge = _judge(plan)
    gather = seasons.gather if plan.of_water else _gather
    batch, tasks = gather(plan, Path(data) if data is not None else data_folder())
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state = _start(plan, device)
    _resume(state, plan, out, device)
    log = _Log(out / "log.csv", state.step, judge.Score)

    bar = tqdm(total=plan.steps, initial=state.step, disable=not progress, unit="step")
    for step, now in _ahead(batch, state.step, plan.steps):
        loss = _step(state, now, plan, device)
        if not math.isfinite(loss):
            raise TrainingError(
                f"loss is {loss} at step {step}; last good: {out / 'checkpoint.pt'}"
            )
        bar.update()
        bar.set_postfix(loss=f"{loss:.4f}")
        score = None
        if state.step % plan.validate_every == 0 or state.step == plan.steps:
            score = judge.validate(state.average, tasks, device)
            bar.write(f"step {state.step}: {score}")
        log.row(state.step, loss, score)
        if state.step % plan.save_every == 0 or state.step == plan.steps:
            _save(state, plan, out)
    bar.close()
    return finish(plan, state, tasks, out, device=device)


def _judge(plan: Recipe) -> Any:
    """The room that scores and calibrates what a recipe trains."""
    return seasons if plan.of_water else evaluate


def _gather(plan: Recipe, folder: Path) -> tuple[Callable[[int], Batch], list[Batch]]:
    """How the data of a step is made, and the fixed validation tasks."""
    everything = read_images(folder, plan.images)
    held, images = _split(plan, everything)
    images = [i for i in images if min(i.valid.shape[1:]) >= plan.patch]
    if not held or not images:
        raise RecipeError(
            f"{len(images)} training and {len(held)} validation images: check images and validation"
        )
    bank = read_masks(folder, plan.masks)
    sizes = {"patch": plan.patch, "batch": plan.batch}
    if not plan.dates:

        def space(step: int) -> Batch:
            return sample(images, bank, **sizes, seed=[plan.seed, step])

        return space, validation_tasks(held, bank)
    held_stacks, stacks = _split(plan, read_stacks(folder, plan.stacks, plan.context_only))
    sizes["dates"] = plan.dates

    def time(step: int) -> Batch:
        lies = (plan.change, plan.large)
        return sample_dates(images, stacks, bank, **sizes, seed=[plan.seed, step], lies=lies)

    return time, validation_dates(held, held_stacks, bank)


def _split(plan: Recipe, found: list[Source]) -> tuple[list[Source], list[Source]]:
    """What is held out for validation, and the others."""
    held = [i for i in found if any(v in i.name for v in plan.validation)]
    return held, [i for i in found if i not in held]


def finish(plan: Recipe, state: State, tasks: list[Any], out: Path, *, device: str = "cpu") -> Path:
    """Calibrate the averaged net on the validation tasks and write weights and card."""
    net, judge = state.average.to(device).eval(), _judge(plan)
    judge.calibrate(net, tasks, device)
    score = judge.validate(net, tasks, device)
    return save(
        out / f"{plan.name}.safetensors",
        net,
        name=plan.net,
        numbers=plan.numbers,
        recipe=plan.asdict(),
        scores={"validation": score.asdict()},
        bands=seasons.BANDS if plan.of_water else ANY_BANDS,
    )


def _start(plan: Recipe, device: str) -> State:
    if plan.net not in NETS:
        raise RecipeError(f"net = {plan.net!r}: known nets are {sorted(NETS)}")
    torch.manual_seed(plan.seed)
    net, average = NETS[plan.net](**plan.numbers), NETS[plan.net](**plan.numbers)
    if plan.start:
        begun = find(plan.start).net("cpu")
        if isinstance(net, ConvNP) and isinstance(begun, ConvNP):
            net.adopt(begun)
        else:
            part = net if type(begun) is type(net) else net.get_submodule("spatial")
            part.load_state_dict(begun.state_dict())
    net = net.to(device).train()
    average.load_state_dict(net.state_dict())
    average = average.to(device)
    learning = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=plan.rate, weight_decay=plan.decay)
    return State(net, average.eval().requires_grad_(False), optimiser)


def _step(state: State, batch: Any, plan: Recipe, device: str) -> float:
    """One optimiser step; returns the loss."""
    for group in state.optimiser.param_groups:
        group["lr"] = _rate(plan, state.step)
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


def _rate(plan: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < plan.warmup:
        return plan.rate * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * 0.5 * (1 + math.cos(math.pi * done))


def _ahead(batch: Any, first: int, last: int) -> Iterator[tuple[int, Any]]:
    """Steps with their data, the next one made while the net works on this one."""
    if first >= last:
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batch, first)
        for step in range(first, last):
            now = coming.result()
            if step + 1 < last:
                coming = pool.submit(batch, step + 1)
            yield step, now


def _fingerprint(plan: Recipe) -> str:
    return hashlib.sha256(repr(sorted(plan.asdict().items())).encode()).hexdigest()


def _save(state: State, plan: Recipe, out: Path) -> None:
    """Write the checkpoint beside the old one, then put it in its place."""
    held = {
        "recipe": _fingerprint(plan),
        "step": state.step,
        "net": state.net.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
    }
    part = out / "checkpoint.pt.partial"
    with part.open("wb") as file:
        torch.save(held, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(out / "checkpoint.pt")


def _resume(state: State, plan: Recipe, out: Path, device: str) -> None:
    path = out / "checkpoint.pt"
    if not path.exists():
        return
    held = torch.load(path, map_location=device, weights_only=True)
    if held["recipe"] != _fingerprint(plan):
        raise RecipeError(f"{path} is of another recipe: choose another folder or remove it")
    state.step = held["step"]
    state.net.load_state_dict(held["net"])
    state.average.load_state_dict(held["average"])
    state.optimiser.load_state_dict(held["optimiser"])


class _Log:
    """A CSV row a step; rows beyond the resumed checkpoint are dropped first."""

    def __init__(self, path: Path, step: int, score: Any = Score) -> None:
        old = path.read_text().splitlines()[1:] if path.exists() else []
        kept = [row for row in csv.reader(old) if row and int(row[0]) <= step]
        head = ["step", "loss", *score.__dataclass_fields__]
        part = path.with_suffix(".partial")
        with part.open("w", newline="") as file:
            csv.writer(file).writerows([head, *kept])
        part.replace(path)
        self.path = path

    def row(self, step: int, loss: float, score: Any) -> None:
        """Append one step."""
        scores = [f"{v:.5f}" for v in score.asdict().values()] if score else []
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([step, f"{loss:.6f}", *scores])
