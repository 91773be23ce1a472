"""Several dates of one place, and the random spatio-temporal tasks cut from them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xinpaint.train.data import (
    Batch,
    Bool,
    Float,
    Gaps,
    Image,
    random_gap,
    read_image,
    resampled,
)
from xinpaint.train.pseudo import pseudo_date, spoil

#: cfmask codes that are no view of the ground: shadow, cloud, fill.
_NO_GROUND = (2, 4, 255)
_DATE = re.compile(r"(?P<place>.+)_(?P<date>\d{8})")
#: How many tasks are cut from real stacks where there are any.
_REAL = 0.75
#: How often another date is there once more, as where the rows of a path overlap.
_AGAIN = 0.1
#: How many other dates a training task has: one is the hardest and the most common.
_SHARES = np.array([0.35, 0.2, 0.15, 0.1, 0.1, 0.1])


@dataclass(frozen=True, eq=False)
class Stack:
    """Dates of one place: `values` float32 and `valid` bool ``[t b y x]``, `days` ``[t]``.

    `whole` (bool ``[t]``) says which dates may be the target; the others are only looked at.
    """

    name: str
    values: Float
    valid: Bool
    days: np.ndarray
    whole: Bool


def read_stacks(
    folder: Path, globs: tuple[str, ...], context_only: tuple[str, ...] = ()
) -> list[Stack]:
    """Group GeoTIFFs named ``<place>_<yyyymmdd>.tif`` by place, dates of one grid together.

    A ``<name>_qa.tif`` (cfmask) beside an image takes its clouds and shadows out. Dates whose
    name contains one of `context_only` are never the target.
    """
    places: dict[str, list[Path]] = {}
    for pattern in globs:
        for path in sorted(folder.glob(pattern)):
            if match := _DATE.fullmatch(path.stem):
                places.setdefault(match["place"], []).append(path)
    stacks = []
    for place, paths in places.items():
        images = [_masked(path) for path in paths]
        fits = [k for k, image in enumerate(images) if image.valid.shape == images[0].valid.shape]
        if len(fits) < 2:
            continue
        stacks.append(
            Stack(
                place,
                np.stack([images[k].values for k in fits]),
                np.stack([images[k].valid for k in fits]),
                np.array([_day(paths[k]) for k in fits]),
                np.array([not any(c in paths[k].stem for c in context_only) for k in fits]),
            )
        )
    return stacks


def _masked(path: Path) -> Image:
    image = read_image(path)
    beside = path.with_name(f"{path.stem}_qa.tif")
    if not beside.is_file():
        return image
    import rasterio

    with rasterio.open(beside) as source:
        clear = ~np.isin(source.read(1), _NO_GROUND)
    return Image(image.name, image.values, image.valid & clear)


def _day(path: Path) -> float:
    match = _DATE.fullmatch(path.stem)
    assert match is not None
    return float(dt.datetime.strptime(match["date"], "%Y%m%d").toordinal())


def sample_dates(
    sources: tuple[list[Image], list[Stack]],
    bank: Bool | Gaps,
    *,
    patch: int,
    batch: int,
    dates: int,
    seed: list[int],
    lies: tuple[float, float] = (0.35, 0.0),
    zoom: float = 1.0,
) -> Batch:
    """The tasks of one step with other dates, from images and stacks; they repeat with the seed.

    Three quarters of the tasks are cut from real stacks, the other dates being real, filled up by
    pseudo-dates to the number asked; the others are a single image and pseudo-dates of it. Now and
    then a date is there twice. Every other date has gaps, and now and then `lies`, of its own: how
    often something changed, and how often that change is larger than a window. A `zoom` above 1
    also shows every second task in pixels up to so many times as large, or a fifth smaller.
    """
    rng, (images, stacks) = np.random.default_rng(seed), sources
    bands = int(rng.choice([1, 3, 4, 6], p=[0.1, 0.15, 0.15, 0.6]))
    share = _SHARES[:dates] / _SHARES[:dates].sum()
    count = int(rng.choice(len(share), p=share)) + 1
    rows = []
    for _ in range(max(1, batch // bands)):
        pool = stacks if stacks and (rng.random() < _REAL or not images) else images
        weight = np.array([min(s.values[..., 0, :, :].size, 160_000) for s in pool]) ** 0.5
        source = pool[rng.choice(len(pool), p=weight / weight.sum())]
        cube, valid, days = _cut(source, bands, patch, rng, zoom)
        rows.append(_task(cube, valid, days, count, bank, rng, lies))
    truth, context, target, others, known, away = (np.stack(p) for p in zip(*rows, strict=True))
    arrays = (truth, context, target, others, known, away)
    return Batch(*(a.astype(np.float32) for a in arrays))


def _cut(
    source: Image | Stack, bands: int, size: int, rng: np.random.Generator, zoom: float
) -> tuple[Float, Bool, np.ndarray]:
    """A turned patch of some bands of all dates, the target date first: ``[t b y x]`` and days."""
    if isinstance(source, Stack):
        first = rng.choice(np.flatnonzero(source.whole))
        order = np.array(
            [first, *rng.permutation([k for k in range(len(source.days)) if k != first])]
        )
        cube, valid, days = source.values[order], source.valid[order], source.days[order]
    else:
        cube, valid, days = source.values[None], source.valid[None], np.zeros(1)
    side = size = min(size, *(n // 8 * 8 for n in cube.shape[2:]))
    if zoom > 1 and rng.random() < 0.5:
        side = min(*cube.shape[2:], round(size * rng.uniform(0.8, zoom)))
    y, x = (int(rng.integers(n - side + 1)) for n in cube.shape[2:])
    cut = np.s_[:, :, y : y + side, x : x + side]
    cube, valid = resampled(cube[cut], valid[cut], size)
    turn = int(rng.integers(4))
    cube, valid = np.rot90(cube, turn, (2, 3)), np.rot90(valid, turn, (2, 3))
    if rng.random() < 0.5:
        cube, valid = cube[..., ::-1], valid[..., ::-1]
    pick = rng.permutation(cube.shape[1])[:bands]
    if len(pick) < bands:  # a narrower sensor: some bands are mixtures of others
        mix = rng.dirichlet(np.full(cube.shape[1], 0.5), bands).astype(np.float32)
        cube = np.einsum("kb,tbyx->tkyx", mix, cube)
        valid = np.broadcast_to(valid.all(1, keepdims=True), cube.shape)
    else:
        cube, valid = cube[:, pick], valid[:, pick]
    return np.ascontiguousarray(cube, np.float32), np.ascontiguousarray(valid), days


def _task(
    cube: Float,
    valid: Bool,
    days: np.ndarray,
    count: int,
    bank: Bool | Gaps,
    rng: np.random.Generator,
    lies: tuple[float, float],
) -> tuple[np.ndarray, ...]:
    shape = (cube.shape[2], cube.shape[3])
    gap = random_gap(bank, shape, rng)
    others: list[Float] = []
    known: list[Bool] = []
    away: list[float] = []
    for k in range(count):
        if k and rng.random() < _AGAIN:
            again = int(rng.integers(k))
            noise = rng.normal(0, rng.uniform(0, 0.01), others[again].shape).astype(np.float32)
            values, seen, far = others[again] + noise, known[again], away[again]
        else:
            values, seen, far = _other(cube, valid, days, k, rng)
            if rng.random() < 0.6:
                seen = seen & ~random_gap(bank, shape, rng)
            values = spoil(values, rng, *lies)
        others.append(values)
        known.append(seen)
        away.append(far)
    return (
        cube[0],
        valid[0] & ~gap,
        valid[0] & gap,
        np.stack(others),
        np.stack(known),
        np.array(away),
    )


def _other(
    cube: Float, valid: Bool, days: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[Float, Bool, float]:
    """A date beside the first, where it was seen and how far away: a real one while there are."""
    if 1 + k < len(cube):
        return cube[1 + k], valid[1 + k], days[1 + k] - days[0]
    base = int(rng.integers(len(cube)))
    mild = base > 0 and rng.random() < 0.7
    values = pseudo_date(cube[base], rng, strength=0.3 if mild else rng.uniform(0.3, 1.2))
    return values, valid[base], rng.uniform(1, 400) * rng.choice([-1, 1])
