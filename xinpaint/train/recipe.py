"""A recipe: everything a training run needs, in one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from xinpaint.errors import RecipeError
from xinpaint.suggestions import did_you_mean
from xinpaint.train.data import KINDS
from xinpaint.train.evaluate import GAPS

#: The smallest patch.
PATCH = 40


@dataclass(frozen=True)
class Recipe:
    """What a training run needs; every field is a key of the TOML file.

    Parameters
    ----------
    name : str
        Name of the weights file written.
    net : str
        A key of :data:`xinpaint.nets.table.NETS`.
    numbers : dict
        The net's own arguments.
    validation : tuple of str
        Images, stacks and labels whose name contains one of these are held out: they choose and
        calibrate, never train. In the file a string will do.
    images, masks : tuple of str
        Globs below the data folder: GeoTIFFs to learn from, ``.npz`` banks of real gaps; or Zarr
        cubes.
    stacks, context_only : tuple of str
        Globs of ``<place>_<yyyymmdd>.tif``: several dates of one place. Dates whose name contains
        one of `context_only` are never the target.
    dates : int
        Other dates a task has at most; 0 = space alone.
    change, large : float
        How often another date holds a change that no mask tells of, and how often that is most of
        what is in sight.
    start, spatial : str
        Weights (a shipped name or a path) to start from: of the same net, or one that lacks some
        of its layers; and, of a net that looks at dates, of its spatial part, which stays frozen.
    reflectance : dict
        For classes of water: globs of GeoTIFFs, and the factors and offsets of red, nir and swir1
        that make their numbers reflectance, ``[[r, n, s], [r, n, s]]``.
    shores : tuple of str
        Globs of masks of lakes (1 = water), for water years simulated on those images.
    labels : tuple of str
        Globs of ``<place>_<yyyy>.tif``, codes of the JRC's YearlyHistory, instead of simulated
        years; the images are then ``<place>_<yyyymmdd>.tif``.
    class_weights : tuple of float
        Weight of not water, seasonal and permanent in the loss.
    gaps : dict
        How often each kind of gap hides pixels, as numbers to be compared: real, wide_real, lines,
        wide_lines, clouds, both. The mixture of the shipped weights where empty.
    validation_gaps : tuple of str
        Kinds of gaps that choose and calibrate: keys of :data:`xinpaint.train.evaluate.GAPS`. A
        net that is to be sure enough under wide stripes and clouds, too, is calibrated under all.
    jitter : float
        Radiometric jitter: gain and offset of each band and date within so much, and noise.
    zoom : float
        Above 1 every second patch is shown in pixels of 0.8 to so many times the size of the
        image's, all dates alike; 1 = as they are.
    patch, batch : int
        Side of a patch in pixels (a multiple of 8, 40 or more); band-patches a step.
    steps, warmup : int
        Optimiser steps in all, and those with a rising rate.
    rate, decay, clip, ema : float
        Peak learning rate (cosine to zero), weight decay, gradient norm, averaging of weights.
    nll, beta, ms_ssim, psnr : float
        Weight of the likelihood, its exponent β (Seitzer et al. 2022), weights of 1 − MS-SSIM and
        of −PSNR (in nepers: 8.7 dB).
    bf16 : bool
        Compute the net's forward pass in bfloat16 (weights and loss stay float32).
    seed : int
        Fixes the data of every step and the first weights.
    save_every, validate_every : int
        In steps.
    patience : int
        Stop after so many validations without a better one (a lower CRPS; of classes, a higher
        mean IoU) and write the best average; 0 = never, write the last.
    licence, reference : str
        Written into the weights' card.

    Examples
    --------
    >>> Recipe("mine", validation=("held",), images=("*.tif",), masks=("gaps.npz",)).net
    'convcnp'
    """

    name: str
    validation: tuple[str, ...]
    images: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    net: str = "convcnp"
    numbers: dict[str, Any] = field(default_factory=dict)
    stacks: tuple[str, ...] = ()
    context_only: tuple[str, ...] = ()
    dates: int = 0
    reflectance: dict[str, Any] = field(default_factory=dict)
    shores: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    class_weights: tuple[float, ...] = (1.0, 1.0, 1.0)
    change: float = 0.35
    large: float = 0.0
    start: str = ""
    spatial: str = ""
    gaps: dict[str, float] = field(default_factory=dict)
    validation_gaps: tuple[str, ...] = ("real", "edge")
    jitter: float = 0.0
    zoom: float = 1.0
    patch: int = 96
    batch: int = 24
    steps: int = 8000
    warmup: int = 200
    rate: float = 2e-3
    decay: float = 1e-4
    clip: float = 1.0
    ema: float = 0.999
    nll: float = 1.0
    beta: float = 0.5
    ms_ssim: float = 0.5
    psnr: float = 0.0
    bf16: bool = False
    seed: int = 0
    save_every: int = 250
    validate_every: int = 1000
    patience: int = 0
    licence: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if self.patch % 8 or self.patch < PATCH:
            use = f"use a multiple of 8 from {PATCH}, such as 96"
            raise RecipeError(f"patch = {self.patch}: {use}")
        if set(self.gaps) - set(KINDS) or (self.gaps and not sum(self.gaps.values()) > 0):
            raise RecipeError(f"gaps = {self.gaps}: wanted shares of {list(KINDS)}, not all 0")
        if min([self.jitter, self.patience, *self.gaps.values()]) < 0:
            found = f"jitter = {self.jitter}, patience = {self.patience}, gaps = {self.gaps}"
            raise RecipeError(f"{found}: none of these may be below 0")
        if set(self.validation_gaps) - set(GAPS) or not self.validation_gaps:
            found = f"validation_gaps = {list(self.validation_gaps)}"
            raise RecipeError(f"{found}: wanted some of {list(GAPS)}")
        if not self.zoom >= 1:
            raise RecipeError(f"zoom = {self.zoom}: use 1 (pixels as they are) or more")
        if not 0 <= self.dates <= 6:
            raise RecipeError(f"dates = {self.dates}: use 0 (space alone) to 6")
        for name in ("batch", "steps", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} = {getattr(self, name)}: use 1 or more")
        if self.of_water and len(self.class_weights) != 3:
            raise RecipeError(
                f"class_weights = {self.class_weights}: give three numbers (not water, seasonal, "
                "permanent)"
            )

    @property
    def of_water(self) -> bool:
        """Whether it trains classes of water rather than a filler."""
        return bool(self.shores or self.labels)

    def asdict(self) -> dict[str, Any]:
        """Plain values for a card or a checkpoint."""
        return asdict(self)


def read(path: str | Path) -> Recipe:
    """Read a recipe from a TOML file.

    Raises
    ------
    RecipeError
        If the file is missing, is not TOML, or holds unknown or missing keys.

    Examples
    --------
    >>> read("no-such.toml")
    Traceback (most recent call last):
    ...
    xinpaint.errors.RecipeError: no recipe at no-such.toml: give the path of a TOML file
    """
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"no recipe at {path}: give the path of a TOML file")
    try:
        found = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(found) - known):
        guess = did_you_mean(unknown[0], known)
        raise RecipeError(f"{path}: unknown keys {unknown}.{guess} Known are {sorted(known)}")
    needed = {"name", "validation"} | _needed(found)
    if missing := sorted(needed - set(found)):
        raise RecipeError(f"{path}: missing keys {missing}; add them")
    for name in ("images", "masks", "validation", "stacks", "context_only", "shores", "labels"):
        given = found.get(name, [])
        found[name] = (given,) if isinstance(given, str) else tuple(given)
    if "validation_gaps" in found:
        found["validation_gaps"] = tuple(found["validation_gaps"])
    if "class_weights" in found:
        found["class_weights"] = tuple(found["class_weights"])
    return Recipe(**found)


def _needed(found: dict[str, Any]) -> set[str]:
    """What else must be there, by what is learned."""
    if "labels" in found:
        return {"reflectance"}
    return {"reflectance", "masks"} if "shores" in found else {"images", "masks"}
