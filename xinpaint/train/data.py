"""Images and gaps from a data folder, and the random tasks cut from them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.core import masks
from xinpaint.core.metrics import stretch
from xinpaint.errors import DataError
from xinpaint.io.banks import load_bank

if TYPE_CHECKING:
    from torch import Tensor

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


#: Kinds of gap a recipe may ask for: as they are, 1 to 3 times as wide, clouds, real and clouds.
KINDS = ("real", "wide_real", "lines", "wide_lines", "clouds", "both")


@dataclass(frozen=True, eq=False)
class Image:
    """One image: `values` float32 ``[b y x]`` stretched to 0–1 a band, `valid` bool ``[b y x]``."""

    name: str
    values: Float
    valid: Bool


@dataclass(frozen=True, eq=False)
class Batch:
    """Tasks of one step, float32 ``[n b y x]``: truth (stretched), context and target as 0/1.

    With other dates also their values and context ``[n k b y x]`` and days away ``[n k]``. Fixed
    tasks have a `name`.
    """

    truth: Float
    context: Float
    target: Float
    others: Float | None = None
    others_context: Float | None = None
    away: Float | None = None
    name: str = field(default="", kw_only=True)

    def to(self, device: str) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Truth, target, and what a net is given: context values, context and the other dates."""
        import torch

        truth, context, target = (
            torch.from_numpy(a).to(device) for a in (self.truth, self.context, self.target)
        )
        others = (self.others, self.others_context, self.away)
        more = tuple(torch.from_numpy(a).to(device) for a in others if a is not None)
        return truth, target, (truth * context, context, *more)


def data_folder() -> Path:
    """The folder named by ``XINPAINT_DATA``.

    Raises
    ------
    DataError
        If the variable is unset or names no folder.
    """
    found = os.environ.get("XINPAINT_DATA", "")
    if not found or not Path(found).is_dir():
        raise DataError(f"XINPAINT_DATA is {found!r}: set it to the folder with the training data")
    return Path(found)


def read_image(path: Path) -> Image:
    """Read a GeoTIFF; nodata, non-finite and saturated-to-zero pixels are not valid."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():  # where on Earth a training chip lies does not matter
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = rasterio.open(path)
    with source:
        raw = source.read()
        nodata = source.nodata
    valid = np.isfinite(raw)
    if nodata is not None:
        valid &= raw != nodata
    return Image(path.stem, normalised(raw, valid), valid)


def normalised(raw: NDArray[Any], valid: Bool) -> Float:
    """Bands ``[b y x]`` stretched to 0–1 each by their valid pixels; 0 where not valid."""
    values = np.zeros(raw.shape, np.float32)
    for k, band in enumerate(raw):
        if not valid[k].any():
            continue
        lo, hi = stretch(band, valid[k])
        values[k] = np.where(valid[k], (band.astype(np.float32) - lo) / (hi - lo), 0)
    return np.clip(values, -1, 4)


def read_images(folder: Path, globs: tuple[str, ...]) -> list[Image]:
    """All images below `folder`, sorted by name; quality layers (``*_qa``) are left out.

    Raises
    ------
    DataError
        If a pattern matches nothing.
    """
    images = []
    for pattern in globs:
        paths = [p for p in sorted(folder.glob(pattern)) if not p.stem.endswith("qa")]
        if not paths:
            raise DataError(f"nothing in {folder} matches {pattern!r}: check the recipe")
        images += [read_image(p) for p in paths]
    return images


def read_masks(folder: Path, globs: tuple[str, ...]) -> Bool:
    """Banks of real gaps, bool ``[n y x]``, true = missing, as `xinpaint.masks.save_bank` wrote."""
    paths = [p for pattern in globs for p in sorted(folder.glob(pattern))]
    if not paths:
        raise DataError(f"nothing in {folder} matches {globs}: check the recipe")
    banks = [load_bank(p) for p in paths]
    if len(sides := {bank.shape[1:] for bank in banks}) > 1:
        raise DataError(f"{globs} match banks of windows of {sorted(sides)} pixels: use one side")
    return np.concatenate(banks)


@dataclass(frozen=True, eq=False)
class Gaps:
    """A bank of real gaps, bool ``[n y x]``, and how often each of :data:`KINDS` is drawn."""

    bank: Bool
    shares: Mapping[str, float]

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Bool:
        """A gap pattern of a random kind, turned now and then."""
        weight = np.array([self.shares.get(kind, 0.0) for kind in KINDS])
        kind = KINDS[rng.choice(len(KINDS), p=weight / weight.sum())]
        seed, width = int(rng.integers(2**31)), float(rng.uniform(1, 3))
        if kind in ("real", "wide_real", "both"):
            gap = masks.transplant(self.bank, shape, seed=seed)
            gap = masks.widened(gap, width) if kind == "wide_real" else gap
        elif kind in ("lines", "wide_lines"):
            wide = width if kind == "wide_lines" else 1.0
            gap = masks.scan_lines(shape, seed=seed, position=rng.uniform(0.15, 1), width=wide)
        else:
            gap = np.zeros(shape, np.bool_)
        if kind in ("clouds", "both"):
            gap |= masks.clouds(shape, seed=seed, fraction=rng.uniform(0.05, 0.4))
        return np.rot90(gap) if rng.random() < 0.25 and shape[0] == shape[1] else gap


def random_gap(bank: Bool | Gaps, shape: tuple[int, int], rng: np.random.Generator) -> Bool:
    """A gap pattern as training meets it: real, simulated, wide, cloudy or mixed."""
    if isinstance(bank, Gaps):
        return bank.draw(shape, rng)
    kind, seed = rng.random(), int(rng.integers(2**31))
    if kind < 0.35:
        gap = masks.transplant(bank, shape, seed=seed)
    elif kind < 0.85:
        width = 1.0 if kind < 0.72 else rng.uniform(1, 3)
        place = rng.uniform(0.15, 1.0) if rng.random() < 0.5 else rng.uniform(0.85, 1.0)
        gap = masks.scan_lines(shape, seed=seed, position=place, width=width)
    else:
        gap = masks.clouds(shape, seed=seed, fraction=rng.uniform(0.05, 0.4))
        if rng.random() < 0.4:
            gap |= masks.transplant(bank, shape, seed=seed)
    return np.rot90(gap) if rng.random() < 0.25 and shape[0] == shape[1] else gap


def sample(
    images: list[Image],
    bank: Bool | Gaps,
    *,
    patch: int,
    batch: int,
    seed: list[int],
    zoom: float = 1.0,
) -> Batch:
    """The tasks of one step; the same seed gives the same tasks.

    Every task is a patch of some bands of one image, turned, mixed and bent in radiometry,
    with a gap pattern laid over it: context = observed minus hidden, target = hidden. A `zoom`
    above 1 also shows every second patch in pixels up to so many times as large, or a fifth
    smaller: other resolutions, other places.
    """
    rng = np.random.default_rng(seed)
    bands = int(rng.choice([1, 2, 3, 4, 6], p=[0.2, 0.1, 0.3, 0.15, 0.25]))
    weight = np.array([min(i.values[0].size, 160_000) for i in images]) ** 0.5
    parts = []
    for _ in range(max(1, batch // bands)):
        image = images[rng.choice(len(images), p=weight / weight.sum())]
        values, valid = _patch(image, bands, patch, rng, zoom)
        gap = np.stack([random_gap(bank, (patch, patch), rng)] * bands)
        if rng.random() < 0.1:
            gap[rng.integers(bands)] |= random_gap(bank, (patch, patch), rng)
        parts.append((values, valid & ~gap, valid & gap))
    truth, context, target = (np.stack(p).astype(np.float32) for p in zip(*parts, strict=True))
    return Batch(truth, context, target)


def _patch(
    image: Image, bands: int, size: int, rng: np.random.Generator, zoom: float
) -> tuple[Float, Bool]:
    values, valid = _cut(image, size, rng, zoom)
    turn, flip = int(rng.integers(4)), rng.random() < 0.5
    values, valid = np.rot90(values, turn, (1, 2)), np.rot90(valid, turn, (1, 2))
    if flip:
        values, valid = values[:, ::-1], valid[:, ::-1]
    pick = rng.permutation(len(values))[:bands]
    if len(pick) < bands or rng.random() < 0.2:
        mix = rng.dirichlet(np.full(len(values), 0.5), bands).astype(np.float32)
        values = np.einsum("kb,byx->kyx", mix, values)
        valid = np.broadcast_to(valid.all(0), values.shape)
    else:
        values, valid = values[pick], valid[pick]
    if rng.random() < 0.3:
        bend = rng.uniform(0.6, 1.6, (bands, 1, 1)).astype(np.float32)
        values = np.sign(values) * np.abs(values) ** bend
    return np.where(valid, values, 0).astype(np.float32), np.ascontiguousarray(valid)


def _cut(image: Image, size: int, rng: np.random.Generator, zoom: float) -> tuple[Float, Bool]:
    """A random square of all bands, its pixels as they are or resampled."""
    values, valid = image.values, image.valid
    room = min(values.shape[1:])
    coarse = 2 if room >= 2 * size and rng.random() < _coarsen(image.name) else 1
    side = size * coarse
    if zoom > 1 and rng.random() < 0.5:
        side = min(room, round(size * rng.uniform(0.8, zoom)))
    y, x = (int(rng.integers(n - side + 1)) for n in values.shape[1:])
    values, valid = values[:, y : y + side, x : x + side], valid[:, y : y + side, x : x + side]
    if side == 2 * size:
        cells = (-1, size, 2, size, 2)
        return values.reshape(cells).mean((2, 4)), np.logical_and.reduce(
            valid.reshape(cells), axis=(2, 4)
        )
    return resampled(values, valid, size)


def resampled(values: Float, valid: Bool, size: int) -> tuple[Float, Bool]:
    """Values ``[... y x]`` at another resolution, and which of them are known throughout."""
    if values.shape[-1] == size:
        return values, valid
    known = _resampled(valid.astype(np.float32), size) > 0.999
    return _resampled(np.where(valid, values, 0), size), known


def _resampled(planes: Float, size: int) -> Float:
    """Each new pixel the mean of what it covers."""
    import torch
    from torch.nn import functional as F

    given = torch.from_numpy(np.ascontiguousarray(planes)).flatten(0, -3)[None]
    made = F.interpolate(given, (size, size), mode="bilinear", antialias=True)[0]
    return np.asarray(made.numpy(), np.float32).reshape(*planes.shape[:-2], size, size)


def _coarsen(name: str) -> float:
    """Sensors finer than Landsat are averaged to its scale more often than not."""
    return 0.6 if name.startswith(("msi", "aster")) else 0.05


def jittered(batch: Batch, strength: float, *, seed: list[int]) -> Batch:
    """A sensor's own gain, offset and noise on each task, band and date: radiometric jitter.

    Our nets answer in the unit of what they see, so gain and offset teach them nothing; noise does,
    and so do gain and offset to a net that is not blind to them.

    Parameters
    ----------
    strength : float
        Gains within 1 ± `strength`, offsets within ± `strength` / 2, noise up to a tenth of it, on
        values stretched to 0-1. 0 leaves all as it is.
    seed : list of int
        The same seed gives the same jitter.
    """
    if not strength:
        return batch
    rng = np.random.default_rng(seed)

    def bent(values: Float) -> Float:
        one = (*values.shape[:-2], 1, 1)
        gain, offset = rng.uniform(-1, 1, one), rng.uniform(-0.5, 0.5, one)
        noise = rng.uniform(0, 0.1, one) * rng.standard_normal(values.shape, np.float32)
        made = values * (1 + strength * gain) + strength * (offset + noise)
        return made.astype(np.float32)

    others = None if batch.others is None else bent(batch.others)
    return replace(batch, truth=bent(batch.truth), others=others)
