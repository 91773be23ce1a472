"""Score weights on held-out pixels: of a cube of one's own, or of what a recipe holds out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from torch import nn

from xinpaint.core import metrics
from xinpaint.cube.schema import Mask
from xinpaint.cube.score import score
from xinpaint.errors import WeightsError
from xinpaint.io.weights import CLASSIFIERS, DATED, card, filler, find
from xinpaint.train import seasons
from xinpaint.train.data import Batch, data_folder
from xinpaint.train.evaluate import probabilistic
from xinpaint.train.loop import gather
from xinpaint.train.recipe import Recipe, read

#: Columns of a filler's scores. Coverage is the share of hidden pixels in a central interval.
COLUMNS = ("psnr", "ssim", "mae", "crps", "coverage50", "coverage90", "coverage95", "answered")

Where = str | os.PathLike[str]


def assess_cube(
    weights: Where,
    cube: xr.Dataset | xr.DataArray,
    *,
    masks: str | Sequence[str] = ("scan_lines", "clouds"),
    seed: int = 0,
    device: str = "auto",
    observed: Mask = None,
) -> pd.DataFrame:
    """Hide observed pixels of a cube under gaps and score how well a net finds them again.

    Parameters
    ----------
    weights : str or path
        A shipped name or a file, of a net that fills.
    cube, observed
        As in `xinpaint.cube.inpaint.inpaint`; see `xinpaint.cube.score.score` for what is hidden.
    masks : {"scan_lines", "clouds"}, or several
    seed : int
        Same seed, same gaps.
    device : str
        As of `ds.inpaint.convnp`.

    Returns
    -------
    DataFrame
        A row for each mask, means over bands: :data:`COLUMNS`.

    Raises
    ------
    SchemaError, MethodError, WeightsError

    Examples
    --------
    >>> assess_cube("convcnp", ds).psnr  # doctest: +SKIP
    """
    ready = filler("convnp", weights=weights, device=device)
    table = score(cube, {"net": ready}, masks=masks, seed=seed, observed=observed)
    frame = table.rename(coverage="coverage90").mean("variable").isel(method=0, drop=True)
    rows: pd.DataFrame = frame.to_dataframe()[list(COLUMNS)].rename_axis("gaps")
    return rows


def assess_recipe(
    weights: Where, recipe: Recipe | Where, *, data: Where | None = None, device: str = "cpu"
) -> pd.DataFrame:
    """Score a net on the validation tasks of a recipe: images, gaps and all, as training does.

    A net of space alone is told nothing of a task's other dates.

    Parameters
    ----------
    weights : str or path
        A shipped name or a file.
    recipe : Recipe or path
        Its `validation` images must not be among those the weights were trained on.
    data : path, optional
        Data folder; ``XINPAINT_DATA`` where not given.
    device : str
        A torch device.

    Returns
    -------
    DataFrame
        A row for each task and their mean: :data:`COLUMNS`. For classes of water one row: mean
        IoU, macro-F1, IoU of seasonal water and calibration error.

    Raises
    ------
    RecipeError, DataError, WeightsError
        WeightsError also where one of recipe and weights fills and the other tells classes.

    Examples
    --------
    >>> assess_recipe("convcnp", "recipe.toml", data="images")  # doctest: +SKIP
    """
    plan = recipe if isinstance(recipe, Recipe) else read(Path(recipe))
    source = find(weights)
    told = card(source.path)["net"]
    if (told in CLASSIFIERS) != plan.of_water:
        raise WeightsError(
            f"{source.path} is of the net {told!r}, which does not do what the recipe "
            f"{plan.name!r} trains ({plan.net!r}): give weights and recipe of one kind"
        )
    _, tasks = gather(plan, Path(data) if data is not None else data_folder())
    net = source.net(device)
    if plan.of_water:
        found = seasons.validate(net, tasks, device).asdict()
        return pd.DataFrame([found], index=pd.Index(["validation"], name="task"))
    rows = [_row(net, task, device, dates=told in DATED) for task in tasks]
    names = [task.name or f"task {k}" for k, task in enumerate(tasks)]
    frame = pd.DataFrame(rows, index=pd.Index(names, name="task"))
    frame.loc["mean"] = frame.mean()
    return frame


def _row(net: nn.Module, task: Batch, device: str, *, dates: bool) -> dict[str, float]:
    """Scores of one task, its bands and patches pooled; SSIM is their mean."""
    import torch

    _, _, given = task.to(device)
    with torch.inference_mode():
        mean, std = (a.cpu().numpy() for a in net(*(given if dates else given[:2])))
    truth, hidden = task.truth, task.target > 0
    answered = hidden & np.isfinite(mean)
    composed = np.where(answered, mean, truth)
    valid = (task.context + task.target) > 0
    made: dict[str, Any] = {
        "psnr": metrics.psnr(truth, mean, answered),
        "ssim": _similar(truth, composed, valid),
        "mae": metrics.mae(truth, mean, answered),
    }
    sure = probabilistic(net)
    made["crps"] = metrics.crps(truth, mean, std, answered) if sure else np.nan
    for level in (50, 90, 95):
        share = metrics.coverage(truth, mean, std, answered, level / 100) if sure else np.nan
        made[f"coverage{level}"] = share
    made["answered"] = float(answered.sum() / max(hidden.sum(), 1))
    return made


def _similar(truth: Any, composed: Any, valid: Any) -> float:
    """SSIM of the planes of ``[n b y x]`` of which something was seen, their mean."""
    planes = (a.reshape(-1, *a.shape[-2:]) for a in (truth, composed, valid))
    each = [metrics.ssim(t * v, c * v, v) for t, c, v in zip(*planes, strict=True) if v.any()]
    return float(np.mean(each))
