"""Train on a cube in hand, in one call."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xinpaint.cube import schema
from xinpaint.errors import RecipeError, TrainingError
from xinpaint.train.cubes import HELD, check_patch
from xinpaint.train.loop import fit
from xinpaint.train.recipe import Recipe

#: Attribute of the stored cube: the hash of what it was written from.
_DIGEST = "xinpaint_cube_sha256"


def fit_cube(cube: xr.Dataset, recipe: Recipe, out: str | Path, **options: Any) -> Path:
    """Train a net on a cube of your own; its held-out blocks choose and calibrate.

    Parameters
    ----------
    cube : Dataset
        As ``ds.inpaint`` takes it; written to ``<out>/cube.zarr``. To go on with a run that was
        stopped, give the same again.
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
    SchemaError, RecipeError, DataError
    TrainingError
        Also where the folder holds a run on another cube.

    Examples
    --------
    >>> recipe = Recipe("mine", validation=())
    >>> fit_cube(ds, recipe, "runs/mine")  # doctest: +SKIP
    """
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"found {type(recipe).__name__}; wanted a Recipe (xinpaint.train.recipe)")
    schema.read(cube)
    if not (recipe.of_water or recipe.images):
        check_patch(cube, recipe.patch)
    store = _stored(cube, Path(out) / "cube.zarr")
    own = (store.name,)
    plan = replace(
        recipe,
        images=recipe.images or own,
        masks=recipe.masks or own,
        stacks=recipe.stacks or (own if recipe.dates else ()),
        validation=recipe.validation or (HELD,),
    )
    return fit(plan, out, data=Path(out), **options)


def _stored(cube: xr.Dataset, store: Path) -> Path:
    """Write the cube as a whole, or see that it is the one that is there."""
    digest = _digest(cube)
    if store.exists():
        said = xr.open_zarr(store).attrs.get(_DIGEST)
        if said != digest:
            raise TrainingError(
                f"{store} holds another cube ({_DIGEST} {str(said)[:12]}, this one "
                f"{digest[:12]}): give another out=, or remove {store.parent} to train anew"
            )
        return store
    part = store.with_name(f"{store.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with warnings.catch_warnings():
        # Zarr 3 says so at every write; readers are faster with it.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        cube.assign_attrs({_DIGEST: digest}).to_zarr(part, consolidated=True)
    part.replace(store)
    return store


def _digest(cube: xr.Dataset) -> str:
    """Hash of all values, with their names, dims and attributes."""
    told = hashlib.sha256()
    for name, variable in sorted(cube.variables.items(), key=lambda item: str(item[0])):
        values = np.ascontiguousarray(variable.values)
        told.update(f"{name} {variable.dims} {values.dtype} {values.shape}".encode())
        told.update(str(sorted(map(str, variable.attrs.items()))).encode())
        told.update(values.tobytes() if values.dtype != object else str(values.tolist()).encode())
    return told.hexdigest()
