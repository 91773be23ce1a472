"""The training loop: flat, resumable, the same curve whether interrupted or not.

The data of step k depends on the recipe's seed and k alone, and a checkpoint holds the net, its
average and the optimiser; so a run that is killed and resumed follows the unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from xinpaint.errors import RecipeError, TrainingError
from xinpaint.io.weights import ANY_BANDS, save
from xinpaint.train import checkpoint, evaluate, seasons
from xinpaint.train.cubes import read_images, read_masks, read_stacks
from xinpaint.train.data import Batch, Gaps, Image, data_folder, jittered, sample
from xinpaint.train.evaluate import validation_dates, validation_tasks
from xinpaint.train.loader import Loader
from xinpaint.train.log import Log
from xinpaint.train.recipe import Recipe, read
from xinpaint.train.stacks import Stack, sample_dates
from xinpaint.train.state import State, advance, begin, rate

Source = TypeVar("Source", Image, Stack)


def fit(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
    tensorboard: bool = True,
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
    tensorboard : bool
        Log for TensorBoard in ``<out>/tensorboard``, beside ``<out>/log.csv``.

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

    Examples
    --------
    >>> fit("recipe.toml", "runs/mine", data="images")  # doctest: +SKIP
    """
    plan = recipe if isinstance(recipe, Recipe) else read(recipe)
    folder = Path(data) if data is not None else data_folder()
    batch, tasks = gather(plan, folder)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state = begin(plan, device)
    checkpoint.resume(state, plan, out, device)
    with Log(out, state.step, _judge(plan).Score, tensorboard=tensorboard) as log:
        _train(state, plan, out, log=log, data=(batch, tasks), device=device, progress=progress)
    if state.best is not None:
        state.average.load_state_dict(state.best)
    return finish(plan, state, (tasks, several_dates(plan, folder)), out, device=device)


def _train(
    state: State,
    plan: Recipe,
    out: Path,
    *,
    log: Log,
    data: tuple[Callable[[int], Any], list[Any]],
    device: str,
    progress: bool,
) -> None:
    """From where a run stands to its last step, or to the end of its patience."""
    batch, tasks = data
    bar = tqdm(total=plan.steps, initial=state.step, disable=not progress, unit="step")
    loader = Loader(batch, state.step, state.step if _done(state, plan) else plan.steps)
    for step, now in loader:
        loss = advance(state, now, plan, device)
        if not math.isfinite(loss):
            raise TrainingError(
                f"loss is {loss} at step {step}; last good: {out / checkpoint.NAME}: "
                "lower the recipe's rate and run it again"
            )
        bar.update()
        bar.set_postfix(loss=f"{loss:.4f}")
        score, last = None, state.step == plan.steps
        if state.step % plan.validate_every == 0 or last:
            score = _judge(plan).validate(state.average, tasks, device)
            bar.write(f"step {state.step}: {score}")
            if plan.patience:
                state.judge(score.cost)
        log.row(state.step, loss, rate(plan, step), score)
        if state.step % plan.save_every == 0 or last or _done(state, plan):
            log.flush()
            checkpoint.write(state, plan, out)
        if _done(state, plan):
            bar.write(f"step {state.step}: no better for {state.stale} validations, stopped")
            break
    bar.close()
    if loader.spent:
        tqdm.write(f"waited for data {loader.share:.1%} of the time")


def _done(state: State, plan: Recipe) -> bool:
    """Whether patience is at its end."""
    return 0 < plan.patience <= state.stale


def _judge(plan: Recipe) -> Any:
    """The room that scores and calibrates what a recipe trains."""
    return seasons if plan.of_water else evaluate


def gather(plan: Recipe, folder: Path) -> tuple[Callable[[int], Any], list[Any]]:
    """How the data of a step is made, and the fixed validation tasks.

    Raises
    ------
    RecipeError, DataError
        If the folder does not hold what the recipe names.
    """
    return seasons.gather(plan, folder) if plan.of_water else _gather(plan, folder)


def _gather(plan: Recipe, folder: Path) -> tuple[Callable[[int], Batch], list[Batch]]:
    """The same for a filler."""
    everything = read_images(folder, plan.images)
    held, images = _split(plan, everything)
    sides = [min(i.valid.shape[1:]) for i in images]
    images = [i for i, side in zip(images, sides, strict=True) if side >= plan.patch]
    if not held or not images:
        small = ""
        if sides and not images:
            small = f"; the largest for training has {max(sides)} pixels a side, patch = "
            small += f"{plan.patch} needs as many (of a cube, which is cut into blocks, twice)"
        raise RecipeError(
            f"{len(images)} training and {len(held)} validation images: check images and "
            f"validation{small}"
        )
    real = read_masks(folder, plan.masks)
    bank = Gaps(real, plan.gaps) if plan.gaps else real
    sizes = {"patch": plan.patch, "batch": plan.batch}
    if not plan.dates:

        def space(step: int) -> Batch:
            drawn = sample(images, bank, **sizes, seed=[plan.seed, step], zoom=plan.zoom)
            return jittered(drawn, plan.jitter, seed=[plan.seed, step, 1])

        return space, validation_tasks(held, real, plan.validation_gaps)
    held_stacks, stacks = _split(plan, read_stacks(folder, plan.stacks, plan.context_only))
    stacks = [s for s in stacks if min(s.valid.shape[2:]) >= plan.patch]
    sizes["dates"], sources = plan.dates, (images, stacks)

    def time(step: int) -> Batch:
        seed, lies = [plan.seed, step], (plan.change, plan.large)
        drawn = sample_dates(sources, bank, **sizes, seed=seed, lies=lies, zoom=plan.zoom)
        return jittered(drawn, plan.jitter, seed=[plan.seed, step, 1])

    return time, validation_dates(held, held_stacks, real, plan.validation_gaps)


def _split(plan: Recipe, found: list[Source]) -> tuple[list[Source], list[Source]]:
    """What is held out for validation, and the others."""
    held = [i for i in found if any(v in i.name for v in plan.validation)]
    return held, [i for i in found if i not in held]


def several_dates(plan: Recipe, folder: Path) -> list[Batch]:
    """Tasks with two real other dates and more, also of stacks that train: there are few."""
    if plan.of_water or not plan.dates:
        return []
    stacks = read_stacks(folder, plan.stacks, plan.context_only)
    real, many = read_masks(folder, plan.masks), [s for s in stacks if len(s.days) > 2]
    return validation_dates([], many, real, plan.validation_gaps)


def finish(
    plan: Recipe,
    state: State,
    tasks: tuple[list[Any], list[Batch]],
    out: Path,
    *,
    device: str = "cpu",
) -> Path:
    """Balance and calibrate the averaged net on tasks and write weights and card.

    The tasks are those of validation, and those of :func:`several_dates`.
    """
    net, judge, (held, several) = state.average.to(device).eval(), _judge(plan), tasks
    if not plan.of_water:
        evaluate.balance(net, held, device)
    judge.calibrate(net, held, device)
    evaluate.widen(net, several, device)
    score = judge.validate(net, held, device)
    return save(
        out / f"{plan.name}.safetensors",
        net,
        name=plan.net,
        numbers=plan.numbers,
        recipe=plan.asdict(),
        scores={"validation": score.asdict()},
        bands=seasons.BANDS if plan.of_water else ANY_BANDS,
    )
