"""Fine-tune weights on a gappy cube of one's own, in minutes, and measure what it brought.

Few-shot adaptation: the net goes on learning, at a low rate, from tasks cut out of the observed
pixels of one place. Blocks of ground are held out of all of them; under gaps laid over these the
net is scored before and after, and it is written only if it got better.
"""

from __future__ import annotations

import copy
import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn
from tqdm import tqdm

from xinpaint.cube import schema
from xinpaint.cube.schema import Mask
from xinpaint.errors import RecipeError, TrainingError, WeightsError
from xinpaint.io.weights import CLASSIFIERS, Weights, card, find, save
from xinpaint.nets.convnp import ConvNP
from xinpaint.train import evaluate, ground
from xinpaint.train.data import Batch
from xinpaint.train.evaluate import Score
from xinpaint.train.ground import Ground
from xinpaint.train.loader import Loader
from xinpaint.train.recipe import Recipe
from xinpaint.train.state import advance, learning

#: Steps where there is time for more: what a scene can teach has been learned by then.
MOST = 600
#: Fewer are not worth it; and so many are timed to know how many fit.
LEAST, TIMED = 20, 4
#: Seeds of the gaps that calibrate, and of those that are scored.
CALIBRATE, SCORE = 5000, 6000


@dataclass(frozen=True)
class Adapted:
    """What an adaptation brought on the held-out blocks; `weights` is None where it did not help.

    Parameters
    ----------
    weights : Path or None
        The file written, usable as ``weights=``.
    before, after : Score
        PSNR in dB, coverage of the central 90 %, CRPS on values stretched to 0-1.
    steps : int
    seconds : float
        In all, scoring included.

    Examples
    --------
    >>> before, after = Score(20.0, 0.9, 0.050), Score(20.5, 0.9, 0.045)
    >>> Adapted(None, before, after, 600, 300.0).gain["psnr"]
    0.5
    """

    weights: Path | None
    before: Score
    after: Score
    steps: int
    seconds: float

    @property
    def gain(self) -> dict[str, float]:
        """How much better it is: PSNR in dB, CRPS as a share of what it was."""
        share = 1 - self.after.crps / max(self.before.crps, 1e-12)
        return {"psnr": self.after.psnr - self.before.psnr, "crps": share}

    def __str__(self) -> str:
        gain = self.gain
        return (
            f"before: {self.before}\nafter:  {self.after}\n"
            f"gain on held-out pixels: PSNR {gain['psnr']:+.3f} dB, CRPS {gain['crps']:+.1%} "
            f"({self.steps} steps, {self.seconds:.0f} s)"
        )


def adapt(
    cube: xr.Dataset | xr.DataArray,
    out: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] = "convcnp",
    minutes: float = 10.0,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    observed: Mask = None,
) -> Adapted:
    """Fine-tune shipped weights on the observed pixels of a gappy cube or a single scene.

    About a sixth of the ground, in blocks, is held out. It has half a say in the spread of the
    adapted net, under other gaps than those it is scored under, and is never learned from. Of a
    net that looks at other dates the spatial part learns; the score is that of the whole net,
    with the other dates that the cube has.

    Parameters
    ----------
    cube, observed
        As in `xinpaint.cube.inpaint.inpaint`; at least 80 by 80 pixels.
    out : path
        Folder for ``<weights>-adapted.safetensors`` and its card, which names the parent, its
        sha256 and the gain.
    weights : str or path
        A shipped name or a file: of any net that fills.
    minutes : float
        How long it may take, scoring included: decides how many steps are made, at most 600.
    steps : int, optional
        Make so many steps, however long they take: then the same cube gives the same weights.
    seed : int
        Of held-out blocks and tasks.
    device : str
        A torch device.

    Returns
    -------
    Adapted
        Its `weights` are None where PSNR or CRPS on the held-out blocks did not become better:
        nothing is written then.

    Raises
    ------
    SchemaError, DataError
        Where the cube does not fit, is too small or has too few observed pixels.
    WeightsError
        Where the weights are missing, damaged or fill nothing.
    RecipeError
        Where `minutes` or `steps` make no sense, or too few steps fit into the minutes.
    TrainingError
        Where the loss is no longer finite.

    Examples
    --------
    >>> done = adapt(ds, "runs/here")  # doctest: +SKIP
    >>> ds.inpaint.convnp(weights=done.weights)  # doctest: +SKIP
    """
    begun = time.monotonic()
    _check(minutes, steps)
    parent = find(weights)
    if (name := card(parent.path)["net"]) in CLASSIFIERS:
        raise WeightsError(
            f"{parent.path} ({name}) tells classes and fills nothing: give weights of a net that "
            "fills, such as 'convnp'"
        )
    place = ground.read(schema.read(cube, observed=observed), seed)
    net = copy.deepcopy(parent.net("cpu")).to(device)
    dates = isinstance(net, ConvNP)
    tasks = ground.tasks(place, SCORE, dates=dates)
    before = evaluate.validate(net, tasks, device)
    scoring = time.monotonic() - begun
    left = math.inf if steps else minutes * 60 - 3.2 * scoring
    part = net.spatial if isinstance(net, ConvNP) else net
    made = _learn(part, place, _plan(parent, place, steps, seed), left, device)
    net.eval().requires_grad_(False)
    _calibrate(part, ground.tasks(place, CALIBRATE, dates=False), device)
    if dates:
        _calibrate(net, ground.tasks(place, CALIBRATE, dates=True), device)
    after = evaluate.validate(net, tasks, device)
    done = Adapted(None, before, after, made.steps, time.monotonic() - begun)
    if not (after.psnr > before.psnr and after.crps < before.crps):
        return done
    return replace(done, weights=_write(net, parent, made, done, Path(out)))


def _check(minutes: float, steps: int | None) -> None:
    if not 0 < minutes < math.inf:
        raise RecipeError(f"minutes = {minutes}: wanted a number above 0")
    if steps is not None and steps < 1:
        raise RecipeError(f"steps = {steps}: use 1 or more, or leave it out")


def _plan(parent: Weights, place: Ground, steps: int | None, seed: int) -> Recipe:
    told = card(parent.path)
    learned = told.get("recipe", {})
    return Recipe(
        name=f"{Path(parent.path).stem}-adapted",
        validation=("held-out blocks",),
        net=told["net"],
        numbers=told["numbers"],
        start=Path(parent.path).stem,
        patch=place.patch,
        steps=steps or MOST,
        warmup=10,
        rate=4e-4,
        ema=0.98,
        ms_ssim=0.0,
        psnr=float(learned.get("psnr", 0.0)),
        bf16=bool(learned.get("bf16", False)),
        seed=seed,
        licence=told.get("licence", ""),
        reference=told.get("reference", ""),
    )


def _learn(net: nn.Module, place: Ground, plan: Recipe, left: float, device: str) -> Recipe:
    """Teach the net in place; returns the plan with the steps that were made."""
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    average = copy.deepcopy(net)
    state = learning(net.train(), average, plan)
    begun = time.monotonic()

    def batch(step: int) -> Any:
        return ground.batch(place, size=plan.batch, seed=[plan.seed, step])

    bar = tqdm(total=plan.steps, disable=None, unit="step")
    for step, now in Loader(batch, 0, plan.steps):
        if step == TIMED and left < math.inf:
            fit = int(left * TIMED / (time.monotonic() - begun))
            if fit < LEAST:
                raise RecipeError(
                    f"{max(fit, 0)} steps fit into the minutes left, wanted {LEAST} or more: give "
                    "more minutes, or a smaller cube"
                )
            plan = replace(plan, steps=min(plan.steps, fit))
            bar.total = plan.steps
        loss = advance(state, now, plan, device)
        if not math.isfinite(loss):
            raise TrainingError(
                f"loss is {loss} at step {step}, and nothing was written; check the cube for "
                "values far out of range, or try another seed="
            )
        bar.update()
        bar.set_postfix(loss=f"{loss:.4f}")
        if state.step >= plan.steps:
            break
    bar.close()
    net.load_state_dict(average.state_dict())
    return plan


def _calibrate(net: nn.Module, tasks: list[Batch], device: str) -> None:
    """Half of what the held-out blocks ask for, half of what the weights came with.

    So few blocks tell the spread of one place no better than many places together did: the
    geometric mean of both holds best where neither looked.
    """
    before = net.get_buffer("temperature").clone()
    evaluate.calibrate(net, tasks, device)
    net.get_buffer("temperature").mul_(before).sqrt_()


def _write(net: nn.Module, parent: Weights, plan: Recipe, done: Adapted, out: Path) -> Path:
    """The weights and a card that says what they come from and what it brought."""
    told = {
        "parent": Path(parent.path).stem,
        "parent_sha256": parent.sha256,
        "part": "spatial" if isinstance(net, ConvNP) else "all",
        "steps": done.steps,
        "seconds": round(done.seconds, 1),
        "gain": {k: round(v, 5) for k, v in done.gain.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    return save(
        out / f"{plan.name}.safetensors",
        net,
        name=plan.net,
        numbers=plan.numbers,
        recipe=plan.asdict(),
        scores={"held_out_before": done.before.asdict(), "held_out": done.after.asdict()},
        more={"adapted": told},
    )
