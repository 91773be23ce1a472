"""Simulated water years on real imagery: the truth that a water net learns from.

A real scene keeps its own water. Lakes are laid over its land: their shores are those of a real
mask, their beds fall away from the shore, and a level that rises and falls through twelve months
says which pixels are wet. Those twelve months give the label (Pekel et al. 2016); the images of
some of them are the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.water.counts import count, of_year
from xinpaint.water.extent import NO_DATA, NOT_WATER, WATER

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
Codes = NDArray[np.uint8]

#: Bands of every image here, in this order.
BANDS = ("red", "nir", "swir1")
#: How fast the bed fades from sight with depth, in the order of `BANDS`.
_FADING = np.array([1.5, 6.0, 20.0], np.float32)[:, None, None]
_SMALLEST = 25


@dataclass(frozen=True, eq=False)
class Scene:
    """A real scene: `reflectance` float32 ``[3 y x]``, `valid` bool ``[y x]``, and its water.

    `water` is uint8 ``[y x]``: 0 land, 1 water, 255 unsure (shores, shadow, small dark patches).
    """

    name: str
    reflectance: Float
    valid: Bool
    water: Codes


@dataclass(frozen=True, eq=False)
class Bed:
    """Elevation of lake beds and of the land around them, float32 ``[y x]``; 0 is the shore."""

    elevation: Float
    lake: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class WaterYear:
    """One simulated year.

    Parameters
    ----------
    images : float32 ``[t b y x]``
        Reflectance of the months asked for, without gaps.
    seen : bool ``[t y x]``
        What clouds and missing scan lines leave of them.
    label : uint8 ``[y x]``
        Class of the whole year: 0 not water, 1 seasonal, 2 permanent, 255 not labelled.
    """

    images: Float
    seen: Bool
    label: Codes


def own_water(reflectance: Float, valid: Bool) -> Codes:
    """Find a scene's own water, and what cannot be told from water.

    Water is dark in nir and swir1 and darker there than in red, over some area; whatever is
    nearly so, and every shore, is unsure.
    """
    red, nir, swir = reflectance
    sure = (nir < 0.08) & (swir < 0.05) & (swir < red) & (nir < 1.2 * red)
    maybe = (nir < 0.10) & (swir < 0.07)
    ids, _ = ndimage.label(sure)
    large = np.bincount(ids.ravel(), minlength=1) >= _SMALLEST
    large[0] = False
    water = large[ids]
    shore = ndimage.binary_dilation(water, iterations=2) & ~ndimage.binary_erosion(water)
    made = np.where(water, np.uint8(WATER), np.uint8(NOT_WATER))
    made[(maybe & ~water) | shore | ~valid] = NO_DATA
    return made


def water_spectra(scenes: list[Scene], most: int = 400) -> Float:
    """Spectra ``[n 3]`` of the scenes' own open water; a few typical ones where there is none."""
    rng = np.random.default_rng(0)
    found = [np.array([[0.03, 0.015, 0.006], [0.07, 0.03, 0.01], [0.1, 0.05, 0.015]], np.float32)]
    for scene in scenes:
        inner = ndimage.binary_erosion(scene.water == WATER, iterations=2)
        spectra = scene.reflectance[:, inner].T
        if len(spectra):
            found.append(spectra[rng.integers(len(spectra), size=most)])
    return np.concatenate(found)


def bed(shores: Bool, rng: np.random.Generator) -> Bed:
    """Beds and banks for a mask of lakes ``[y x]``: deep and shallow ones, flat and steep ones."""
    ids, number = ndimage.label(shores)
    inside = ndimage.distance_transform_edt(shores) - 0.5
    outside = ndimage.distance_transform_edt(~shores) - 0.5
    flat, power = rng.uniform(6, 30), rng.uniform(0.6, 1.3)
    depth = rng.lognormal(0, 0.7, number + 1).astype(np.float32)
    below = -depth[ids] * (np.maximum(inside, 0) / flat) ** power
    above = (np.maximum(outside, 0) / rng.uniform(6, 40)) ** rng.uniform(0.8, 1.5)
    relief = _smooth(shores.shape, rng.uniform(3, 10), rng) * rng.uniform(0.03, 0.2)
    elevation = np.where(shores, np.maximum(below, -4), above) + relief
    return Bed(elevation.astype(np.float32), _nearest(ids, shores))


def levels(lakes: int, rng: np.random.Generator) -> Float:
    """Level of each lake in each month of a year, float32 ``[12 lakes]``; a third are steady."""
    month = 2 * np.pi * (np.arange(12) - rng.uniform(0, 12)) / 12
    curve = np.sin(month + rng.uniform(-0.9, 0.9) * np.sin(month))
    swing = rng.uniform(0.05, 0.8) * rng.lognormal(0, 0.3, lakes)
    swing[rng.random(lakes) < 0.35] = 0.02
    middle = rng.uniform(-0.45, 0.1) + rng.normal(0, 0.15, lakes)
    made = middle + curve[:, None] * swing + rng.normal(0, 0.02, (12, 1))
    if rng.random() < 0.15:  # a flood of a month or two
        first = rng.integers(12)
        made[[first, (first + 1) % 12]] += rng.uniform(0.1, 0.5)
    return made.astype(np.float32)


def water_year(
    scene: Scene,
    shores: Bool,
    spectra: Float,
    bank: Bool,
    rng: np.random.Generator,
    *,
    months: int = 3,
    cloud: float | None = None,
) -> WaterYear:
    """Simulate one year over a piece of a scene.

    Parameters
    ----------
    scene : Scene
        The piece, ``[y x]`` as large as `shores`.
    shores : bool ``[y x]``
        Where lakes are at their mean shore.
    spectra : float32 ``[n 3]``
        Water to draw from where the scene has none of its own.
    bank : bool ``[n y x]``
        Real gap patterns, true = missing.
    rng : numpy Generator
    months : int
        Months of the year that are images, one after the other.
    cloud : float, optional
        Share of each month under cloud; drawn where not given.

    Examples
    --------
    >>> year = water_year(scene, shores, spectra, bank, rng, months=3)  # doctest: +SKIP
    """
    ground = bed(shores, rng)
    level = levels(int(ground.lake.max()) + 1, rng)
    depths = level[:, ground.lake] - ground.elevation
    wet = (depths > 0) | (scene.water == WATER)
    label = of_year(count(wet.astype(np.uint8), np.arange(1, 13)))
    unsure = (scene.water == NO_DATA) & (label != 2)
    label[unsure & ~(depths > 0).all(0)] = NO_DATA
    label[~scene.valid] = NO_DATA
    first = int(rng.integers(13 - months))
    picked = slice(first, first + months)
    images = _paint(scene, depths, ground.elevation, spectra, picked, rng)
    seen = np.stack([_seen(bank, label.shape, cloud, rng) for _ in range(months)]) & scene.valid
    return WaterYear(images, seen, label)


def _paint(
    scene: Scene, depths: Float, elevation: Float, spectra: Float, picked: slice, rng: Any
) -> Float:
    """Images ``[t b y x]`` of some months: land with its bed, water over it, air between."""
    often = (depths > 0).mean(0, dtype=np.float32)
    steep = np.maximum(np.hypot(*np.gradient(elevation)), 0.01)
    cover = _cover(scene, often, rng)
    water, reeds = _water(scene, spectra, rng), _reeds(often, rng)
    phase, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    own = scene.water == WATER
    tone = rng.lognormal(0, 0.08, (3, 1, 1)), rng.normal(0, 0.005, (3, 1, 1))
    made = []
    for month in range(12)[picked]:
        depth, before = depths[month], depths[month - 1]
        land = _season(cover, strength * np.cos(2 * np.pi * month / 12 - phase))
        wetness = np.exp(-np.maximum(-np.maximum(depth, before), 0) / 0.08) * rng.uniform(0, 0.5)
        land = land * (1 - np.array([0.5, 0.7, 1.0])[:, None, None] * wetness * (often > 0))
        lake = water + (land - water) * np.exp(-_FADING * np.maximum(depth, 0))
        lake = lake + (land - lake) * reeds
        share = np.clip(0.5 + depth / steep, 0, 1)
        image = np.where(own, scene.reflectance, land * (1 - share) + lake * share)
        made.append(_air(image * tone[0] + tone[1], rng))
    return np.stack(made).astype(np.float32)


def _cover(scene: Scene, often: Float, rng: np.random.Generator) -> Float:
    """The scene's land, its lake beds barer (or greener) the longer they are under water."""
    land = scene.reflectance[:, (scene.water == NOT_WATER)]
    if not land.shape[1]:
        return scene.reflectance
    order = np.argsort(land[0])
    place = int(np.clip(rng.normal(0.75, 0.25), 0, 0.999) * len(order))
    bare = land[:, order[place]][:, None, None] * rng.uniform(0.8, 1.4)
    share = rng.uniform(0.4, 0.97) * often**0.35  # no field and no road outlives a flood
    return np.asarray(scene.reflectance * (1 - share) + bare * share, np.float32)


def _water(scene: Scene, spectra: Float, rng: np.random.Generator) -> Float:
    """Open water ``[3 y x]``: a spectrum of the scene's own or of others, a little uneven."""
    own = scene.reflectance[:, scene.water == WATER].T
    pool = own if len(own) >= 50 and rng.random() < 0.6 else spectra
    one, two = pool[rng.integers(len(pool), size=2)]
    share = 0.5 + 0.5 * np.tanh(_smooth(scene.water.shape, rng.uniform(6, 20), rng))
    mixed = one[:, None, None] * share + two[:, None, None] * (1 - share)
    return np.asarray(np.maximum(mixed, 0.002), np.float32)


def _reeds(often: Float, rng: np.random.Generator) -> Float:
    """Share ``[y x]`` of plants that stand in the water; in one lake system of three."""
    if rng.random() > 0.33:
        return np.zeros_like(often)
    field = _smooth(often.shape, rng.uniform(2, 6), rng)
    return np.asarray(np.clip(field, 0, 1) * rng.uniform(0.1, 0.6) * (often < 0.999), np.float32)


def _season(cover: Float, green: float) -> Float:
    """Greener or browner: each pixel by how green it is."""
    red, nir, swir = cover
    plants = np.clip((nir - red) / np.maximum(nir + red, 0.02), 0, 1) * green
    return np.stack([red * (1 - 0.6 * plants), nir * (1 + 0.6 * plants), swir * (1 - 0.5 * plants)])


def _air(image: Float, rng: np.random.Generator) -> Float:
    """One date's light, haze, noise, and the cloud shadows and thin clouds that masks miss."""
    gain = rng.normal(1, 0.05) * rng.normal(1, 0.015, (3, 1, 1))
    haze = abs(rng.normal(0, 0.008)) * np.array([1.0, 0.6, 0.25])[:, None, None]
    made = image * gain + haze
    if rng.random() < 0.25:
        blob = np.clip(_smooth(image.shape[1:], rng.uniform(4, 9), rng) - rng.uniform(1, 2), 0, 1)
        thin = rng.random() < 0.5
        made = made * (1 - 0.5 * blob) + (0.4 * blob if thin else 0)
    return np.asarray(made + rng.normal(0, rng.uniform(0.001, 0.006), made.shape), np.float32)


def _seen(
    bank: Bool, shape: tuple[int, ...], cloud: float | None, rng: np.random.Generator
) -> Bool:
    """What one month saw: real scan-line gaps, and clouds."""
    size, (one, two) = (shape[0], shape[1]), rng.integers(2**31, size=2)
    seen = np.ones(size, bool)
    if cloud is not None or rng.random() < 0.75:
        seen &= ~masks.transplant(bank, size, seed=int(one))
    share = cloud if cloud is not None else rng.choice([0.0, rng.uniform(0.05, 0.6)], p=[0.3, 0.7])
    return seen & ~masks.clouds(size, seed=int(two), fraction=share) if share else seen


def _smooth(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Float:
    """Smooth noise of spread 1."""
    field = ndimage.gaussian_filter(rng.normal(size=shape).astype(np.float32), sigma, truncate=2.5)
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def _nearest(ids: NDArray[Any], shores: Bool) -> NDArray[np.int32]:
    """The lake that each pixel belongs to, or lies nearest to, counted from 0."""
    if not shores.any():
        return np.zeros(shores.shape, np.int32)
    y, x = ndimage.distance_transform_edt(~shores, return_distances=False, return_indices=True)
    return np.asarray(ids[y, x] - 1, np.int32)
