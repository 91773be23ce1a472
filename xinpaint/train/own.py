"""Train on a cube in hand, in one call."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from xinpaint.cube import schema
from xinpaint.errors import RecipeError
from xinpaint.train.cubes import HELD
from xinpaint.train.loop import fit
from xinpaint.train.recipe import Recipe


def fit_cube(cube: xr.Dataset, recipe: Recipe, out: str | Path, **options: Any) -> Path:
    """Train a net on a cube of your own; its held-out blocks choose and calibrate.

    Parameters
    ----------
    cube : Dataset
        As ``ds.inpaint`` takes it; written to ``<out>/cube.zarr`` unless it is there.
    recipe : Recipe
        Its `images`, `masks` and, where it looks at dates, `stacks` become the cube where they
        are empty; `validation` the held-out blocks.
    out : path
        Folder of the run.
    **options
        `device` and `progress` of `xinpaint.train.loop.fit`.

    Returns
    -------
    Path
        The weights file, usable as ``weights=``.

    Raises
    ------
    SchemaError, RecipeError, DataError, TrainingError

    Examples
    --------
    >>> recipe = Recipe("mine", validation=())
    >>> fit_cube(ds, recipe, "runs/mine")  # doctest: +SKIP
    """
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"found {type(recipe).__name__}; wanted a Recipe (xinpaint.train.recipe)")
    schema.read(cube)
    store = Path(out) / "cube.zarr"
    if not store.exists():
        with warnings.catch_warnings():
            # Zarr 3 says so at every write; readers are faster with it.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            cube.to_zarr(store, consolidated=True)
    own = (store.name,)
    plan = replace(
        recipe,
        images=recipe.images or own,
        masks=recipe.masks or own,
        stacks=recipe.stacks or (own if recipe.dates else ()),
        validation=recipe.validation or (HELD,),
    )
    return fit(plan, out, data=Path(out), **options)
