"""How the tutorial's landscape looks on a day: phenology, water level, light, sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.io._ground import FINE, Ground, Map, fractal, soft

BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")

#: Reflectance of pure covers in BANDS, rounded from published ETM+ signatures.
SPECTRA = {
    "dark soil": (0.055, 0.075, 0.095, 0.155, 0.210, 0.180),
    "bright soil": (0.105, 0.150, 0.205, 0.290, 0.370, 0.320),
    "red soil": (0.060, 0.095, 0.155, 0.230, 0.320, 0.270),
    "crop": (0.026, 0.062, 0.032, 0.480, 0.215, 0.095),
    "straw": (0.090, 0.130, 0.180, 0.290, 0.360, 0.260),
    "grass": (0.040, 0.075, 0.060, 0.320, 0.230, 0.120),
    "leaves": (0.022, 0.046, 0.026, 0.370, 0.160, 0.065),
    "twigs": (0.042, 0.058, 0.066, 0.165, 0.180, 0.115),
    "conifer": (0.018, 0.033, 0.022, 0.225, 0.095, 0.042),
    "rock": (0.095, 0.120, 0.145, 0.200, 0.260, 0.225),
    "sand": (0.150, 0.200, 0.245, 0.310, 0.350, 0.310),
    "mud": (0.070, 0.095, 0.110, 0.140, 0.120, 0.085),
    "clear water": (0.030, 0.030, 0.017, 0.010, 0.005, 0.003),
    "silty water": (0.060, 0.088, 0.078, 0.030, 0.008, 0.005),
    "street": (0.105, 0.120, 0.130, 0.165, 0.185, 0.165),
    "roof": (0.230, 0.245, 0.255, 0.290, 0.300, 0.275),
    "gravel": (0.150, 0.180, 0.210, 0.260, 0.300, 0.270),
}

#: Crops: share, day of green-up, day of harvest or drying, peak and winter vegetation cover.
CROPS = (
    ("winter wheat", 0.27, 88, 178, 0.90, 0.22),
    ("summer crop", 0.24, 160, 262, 0.88, 0.02),
    ("late crop", 0.10, 190, 290, 0.80, 0.04),
    ("alfalfa", 0.08, 92, 300, 0.80, 0.30),
    ("pasture", 0.15, 82, 215, 0.38, 0.28),
    ("fallow", 0.10, 110, 190, 0.08, 0.02),
    ("wood lot", 0.06, 108, 292, 0.85, 0.10),
)


def _spectrum(name: str) -> Map:
    return np.array(SPECTRA[name], np.float32)[:, None, None]


def _mix(image: Map, name: str, share: Map) -> Map:
    """`image` ``[b y x]`` covered by a pure spectrum to `share` ``[y x]``."""
    return np.asarray(image + share * (_spectrum(name) - image), dtype=np.float32)


def _rise(day: float, start: Map | np.floating[Any], rate: float = 9.0) -> Map:
    return np.asarray(1 / (1 + np.exp(-(day - start) / rate)), dtype=np.float32)


def water_level(day: float) -> float:
    """Level of river and lakes, -1 (autumn) to 1 (snow melt in April), by day of year."""
    return float(
        np.cos(2 * np.pi * (day - 108) / 365.25) * 0.75
        + 0.25 * np.cos(4 * np.pi * (day - 112) / 365.25)
    )


def reflectance(land: Ground, day: float, *, seed: int) -> NDArray[np.float32]:
    """Surface reflectance of the six bands on a day of the year, as the sensor sees it.

    Returns
    -------
    float32 ``[b y x]``
        On the image grid, with point spread and noise; nothing missing.
    """
    crops = _crops(land, day, seed)
    image = _hills(land, day, crops)
    image = _forest(land, day, image)
    image = _built(land, day, image, seed)
    image *= _light(land, day)
    image = _water(land, day, image, seed)
    return _sensor(image, day, seed)


def _crops(land: Ground, day: float, seed: int) -> Map:
    """Sow the fields: each parcel has a crop, a calendar of its own, a soil."""
    rng = np.random.default_rng([seed, 2])
    count = int(land.parcel.max()) + 1
    share = np.array([c[1] for c in CROPS])
    crop = rng.choice(len(CROPS), count, p=share / share.sum())
    start, end, peak, winter = (
        np.array([c[k] for c in CROPS], np.float32)[crop] for k in (2, 3, 4, 5)
    )
    start = (start + rng.normal(0, 9, count)).astype(np.float32)
    end = (end + rng.normal(0, 11, count)).astype(np.float32)
    peak = peak * np.clip(rng.normal(0.92, 0.12, count), 0.5, 1.08)
    green = _rise(day, start) * (1 - _rise(day, end, 6.0))
    cover = winter * (1 - green) * rng.uniform(0.4, 1.4, count) + peak * green
    stubble = _rise(day, end + 4, 5.0) * (1 - _rise(day, end + rng.uniform(20, 110, count), 5.0))
    stubble *= peak > 0.3
    tone = rng.normal(0, 0.8, count)
    at = land.parcel
    bright = soft(0.5 * land.soil + tone[at].astype(np.float32) + 0.22 * land.grain, -1.6, 1.9)
    ploughed = 1 + 0.035 * land.streaks + 0.03 * land.canopy
    image = _mix(np.broadcast_to(_spectrum("dark soil"), (6, *at.shape)), "bright soil", bright)
    image = _mix(image, "red soil", 0.6 * soft(land.soil + 0.4 * land.grain, 0.2, 1.8))
    image = _mix(image, "straw", (0.8 * stubble).astype(np.float32)[at]) * ploughed
    vigour = 1 + 0.10 * land.grain + 0.05 * land.streaks + 0.03 * land.canopy
    cover_map = np.clip(cover.astype(np.float32)[at] * vigour, 0, 0.97)
    woody = crop[at] == len(CROPS) - 1
    mown = np.isin(crop, (3, 4))[at]
    image = _mix(image, "crop", np.where(woody | mown, 0, cover_map))
    image = _mix(image, "grass", np.where(mown, cover_map, 0))
    trees = np.where(woody, 0.55 + 0.4 * cover_map, 0).astype(np.float32)
    return _mix(_mix(image, "twigs", np.where(woody, 0.8, 0)), "leaves", trees * cover_map)


def _hills(land: Ground, day: float, fields: Map) -> Map:
    """Rough grazing and rock where the land is too steep for fields."""
    steep = np.hypot(*land.slopes)
    image = _mix(
        np.broadcast_to(_spectrum("red soil"), fields.shape), "dark soil", soft(land.soil, -1, 1)
    )
    image = _mix(image, "straw", 0.45 * soft(land.grain, -1.5, 1.5))
    spring = float(_rise(day, np.float32(85)) * (1 - 0.65 * _rise(day, np.float32(185))))
    lush = np.clip(0.30 + 0.5 * spring + 0.16 * land.grain - 0.5 * steep, 0.05, 0.9)
    image = _mix(image, "grass", lush * (0.35 + 0.65 * spring))
    image = _mix(
        image, "rock", 0.6 * soft(steep + 0.06 * land.grain + 0.03 * land.canopy, 0.8, 1.2)
    )
    image *= 1 + 0.05 * land.canopy
    wild = soft(land.upland + 0.03 * land.grain, 0.28, 0.34)
    return np.asarray(fields + wild * (image - fields), dtype=np.float32)


def _forest(land: Ground, day: float, image: Map) -> Map:
    """Conifers high up, broad leaves below and along the river."""
    leaf = float(_rise(day, np.float32(112)) * (1 - _rise(day, np.float32(288))))
    conifer = soft(land.upland + 0.12 * land.grain, 0.55, 0.85)
    trees = _mix(
        np.broadcast_to(_spectrum("twigs"), image.shape), "leaves", np.full_like(conifer, leaf)
    )
    trees = _mix(trees, "conifer", conifer) * (1 + 0.13 * land.canopy)
    return np.asarray(image + 0.95 * land.forest * (trees - image), dtype=np.float32)


def _built(land: Ground, day: float, image: Map, seed: int) -> Map:
    """Roads, and towns of roofs, streets and gardens."""
    rng = np.random.default_rng([seed, 3])
    count = int(land.house.max()) + 1
    roof = (rng.random(count) ** 3).astype(np.float32)[land.house]
    garden = (rng.random(count) * 0.7).astype(np.float32)[land.house]
    leaf = 0.35 + 0.65 * float(_rise(day, np.float32(105)) * (1 - _rise(day, np.float32(285))))
    town = _mix(np.broadcast_to(_spectrum("street"), image.shape), "roof", 0.9 * roof)
    town = _mix(town, "leaves", garden * (1 - roof) * leaf)
    image = np.asarray(image + 0.92 * land.town * (town - image), dtype=np.float32)
    return _mix(image, "gravel", 0.6 * land.road)


def _light(land: Ground, day: float) -> Map:
    """Brightness of slopes under the sun of a mid-morning overpass, 1 on flat ground."""
    height = np.deg2rad(43 + 18 * np.cos(2 * np.pi * (day - 172) / 365.25))
    azimuth = np.deg2rad(146 - 14 * np.cos(2 * np.pi * (day - 172) / 365.25))
    dy, dx = land.slopes
    # Rows run south, so the sun's northward part meets the gradient along y with its sign kept.
    facing = -dx * np.sin(azimuth) * np.cos(height) + dy * np.cos(azimuth) * np.cos(height)
    cosine = (facing + np.sin(height)) / np.sqrt(1 + dx**2 + dy**2)
    return np.asarray(0.3 + 0.7 * np.clip(cosine, 0.02, None) / np.sin(height), dtype=np.float32)


def _water(land: Ground, day: float, image: Map, seed: int) -> Map:
    """River and lakes at their level, wet mud and sand along the shore they left."""
    level = water_level(day)
    rng = np.random.default_rng([seed, 4])
    drift = fractal(land.river.shape[0], rng, longest=200, power=3.4)
    for height, swing, silt in ((land.river, 0.62, 0.75), (land.lake, 0.9, 0.25)):
        above = height - swing * level
        shore = soft(-height, -swing * 1.25, -swing * 0.6) * (1 - soft(above, 0.2, 2.2))
        image = _mix(image, "sand", 0.55 * shore * soft(above + 0.25 * land.grain, 0.15, 0.5))
        image = _mix(image, "mud", 0.7 * (1 - soft(above, 0.0, 0.4)))
        silty = np.clip(silt + 0.18 * drift + 0.18 * level + 0.35 * soft(above, -1.5, 0), 0, 1)
        water = _mix(np.broadcast_to(_spectrum("clear water"), image.shape), "silty water", silty)
        image = image + soft(-above, -0.06, 0.10) * (water - image)
    return np.asarray(image, dtype=np.float32)


def _sensor(image: Map, day: float, seed: int) -> NDArray[np.float32]:
    """Point spread, haze left over by the atmospheric correction, noise and detector stripes."""
    rng = np.random.default_rng([seed, 5, round(day * 10)])
    size = image.shape[-1] // FINE
    blurred = ndimage.gaussian_filter(image, (0, 0.75, 0.75), mode="nearest")
    pixels = blurred.reshape(6, size, FINE, size, FINE).mean(axis=(2, 4))
    haze = np.array((0.010, 0.007, 0.005, 0.002, 0.0, 0.0))[:, None, None] * rng.uniform(0, 1.2)
    gain = rng.normal(1, 0.015)
    detectors = rng.normal(0, 0.0005, (6, 16))[:, np.arange(size) % 16, None]
    spread = np.sqrt(0.0012**2 + (0.011 * pixels) ** 2)
    noisy = pixels * gain + haze + detectors + spread * rng.normal(size=pixels.shape)
    return np.asarray(np.clip(noisy, 0.0005, 1.2), dtype=np.float32)
