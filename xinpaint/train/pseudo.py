"""Other dates made from one image: what a season, a farmer, weather and a sensor would change.

A net that is to trust other dates must see dates that lie. Here a date is made of an image by
mixing its bands under smooth random weights (phenology), a gain and offset for each kind of
surface (fields turn at different times), change, haze, clouds and shadows that no mask knows,
noise, and a shift of up to half a pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import masks

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


def pseudo_date(values: Float, rng: np.random.Generator, *, strength: float = 1.0) -> Float:
    """Make another date of an image.

    Parameters
    ----------
    values : float32 ``[b y x]``
        About 0 to 1, no missing pixels.
    rng : numpy Generator
    strength : float
        0 leaves it nearly alone, 1 makes it another season.

    Returns
    -------
    float32 ``[b y x]``
    """
    made = _season(values, rng, strength)
    made = _surfaces(made, values, rng, strength)
    if rng.random() < 0.5:
        shift = (0, *rng.uniform(-0.5, 0.5, 2))
        made = ndimage.shift(made, shift, order=1, mode="nearest")
    noise = rng.uniform(0.002, 0.03)
    return np.asarray(made + rng.normal(0, noise, made.shape), np.float32)


def spoil(
    values: Float, rng: np.random.Generator, change: float = 0.35, large: float = 0.0
) -> Float:
    """Lay lies over a date that no mask tells of: change, haze, a missed cloud or its shadow.

    Parameters
    ----------
    values : float32 ``[b y x]``
    rng : numpy Generator
    change, large : float
        How often something changed; how often that is most of what is in sight, not spots.

    Returns
    -------
    float32 ``[b y x]``
    """
    made = values.copy()
    if rng.random() < change:
        made = _change(made, rng, large)
    if rng.random() < 0.15:
        veil = _smooth(made.shape[1:], rng, 16) * rng.uniform(0.1, 0.5)
        made += np.clip(veil, 0, None) * np.linspace(1, 0.3, len(made))[:, None, None]
    if rng.random() < 0.15:
        cloud = _blob(made.shape[1:], rng, 0.01, 0.12)
        bright = rng.uniform(0.8, 2.0) if rng.random() < 0.6 else rng.uniform(-0.3, 0.1)
        made = np.where(cloud, bright + 0.05 * rng.normal(size=made.shape), made)
    return made.astype(np.float32)


def _season(values: Float, rng: np.random.Generator, strength: float) -> Float:
    """Bands mixed with weights that drift across the image; a curve on the whole."""
    bands = len(values)
    mean = values.mean((1, 2), keepdims=True)
    apart = values - mean
    one, two = (
        np.eye(bands) * rng.uniform(0.5, 1.2) + strength * rng.normal(0, 0.35, (bands, bands))
        for _ in range(2)
    )
    share = 0.5 + 0.5 * np.tanh(_smooth(values.shape[1:], rng, 24))
    mixed = np.einsum("kb,byx->kyx", one, apart) * share
    mixed += np.einsum("kb,byx->kyx", two, apart) * (1 - share)
    mixed += mean * rng.uniform(0.6, 1.4, (bands, 1, 1))
    return np.asarray(np.clip(mixed, -1, 4), np.float32)


def _surfaces(made: Float, values: Float, rng: np.random.Generator, strength: float) -> Float:
    """A gain and an offset of its own for each kind of surface."""
    count = int(rng.integers(2, 10))
    pick = np.einsum("b,byx->yx", rng.normal(size=len(values)), values)
    pick = ndimage.gaussian_filter(pick, rng.uniform(0, 2))
    cuts = np.quantile(pick, np.sort(rng.random(count - 1)))
    kind = np.digitize(pick, cuts)
    if rng.random() < 0.5:  # the same surface may do different things in different places
        kind += count * (_smooth(values.shape[1:], rng, 12) > 0)
    gain = 1 + strength * rng.normal(0, 0.2, (len(values), 2 * count))
    offset = strength * rng.normal(0, 0.1, (len(values), 2 * count))
    moved: Float = (made * gain[:, kind] + offset[:, kind]).astype(np.float32)
    return moved


def _change(values: Float, rng: np.random.Generator, large: float) -> Float:
    """Something else stands there: a flood, a harvest, a burn scar, another place."""
    where = _piece(values.shape[1:], rng, large)
    kind = rng.random()
    if kind < 0.4:
        shift = rng.integers(16, 80, 2)
        other: NDArray[np.floating] = np.roll(values, shift, (1, 2))
    elif kind < 0.7:
        level = np.quantile(values, rng.random(), axis=(1, 2))[:, None, None]
        other = level + 0.03 * rng.normal(size=values.shape)
    else:
        gain = rng.uniform(0.3, 1.7, (len(values), 1, 1))
        other = values * gain + rng.normal(0, 0.2, (len(values), 1, 1))
    return np.where(where, other, values).astype(np.float32)


def _piece(shape: tuple[int, ...], rng: np.random.Generator, large: float) -> Bool:
    """Spots, or now and then most of what is in sight: a change may be larger than a window."""
    if not large or rng.random() < 1 - large:
        return _blob(shape, rng, 0.03, 0.25)
    field = _smooth(shape, rng, rng.uniform(12, 32))
    return np.asarray(field > np.quantile(field, rng.uniform(0.2, 0.85)), np.bool_)


def _blob(shape: tuple[int, ...], rng: np.random.Generator, least: float, most: float) -> Bool:
    side = (shape[0], shape[1])
    return masks.clouds(side, seed=int(rng.integers(2**31)), fraction=rng.uniform(least, most))


def _smooth(shape: tuple[int, ...], rng: np.random.Generator, sigma: float) -> NDArray[np.float64]:
    """A smooth random field of unit spread."""
    small = tuple(n // 4 + 2 for n in shape)
    field = ndimage.gaussian_filter(rng.normal(size=small), sigma / 4, mode="wrap")
    field = ndimage.zoom(field, 4, order=1)[: shape[0], : shape[1]]
    return np.asarray(field / max(field.std(), 1e-12))
