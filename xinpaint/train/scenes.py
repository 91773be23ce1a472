"""Scenes as reflectance, shores of real lakes, and the simulated water years cut from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.errors import DataError
from xinpaint.train.data import Bool, Float
from xinpaint.water.years import BANDS, Scene, WaterYear, own_water, water_spectra, water_year

#: Columns of a mask of lakes, as shares: who may use which. No lake trains and tests.
PARTS = {"train": (0.0, 0.63), "validation": (0.63, 0.81), "test": (0.81, 1.0)}

#: Glob -> factors and offsets of red, nir and swir1 that make numbers reflectance.
Scales = Mapping[str, Sequence[Sequence[float]]]


def read_bands(path: Path, scale: Sequence[Sequence[float]]) -> tuple[Float, Bool]:
    """Reflectance ``[3 y x]`` of red, nir and swir1, found by description, and what is valid.

    Raises
    ------
    DataError
        If the file lacks one of the bands, or the scale is not three factors and three offsets.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    if [len(part) for part in scale] != [3, 3]:
        raise DataError(
            f"{path}: its scale is {scale}; wanted three factors and three offsets, "
            "[[red, nir, swir1], [red, nir, swir1]]"
        )
    with warnings.catch_warnings():  # where on Earth a training chip lies does not matter
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = rasterio.open(path)
    with source:
        names = [str(name).lower() for name in source.descriptions]
        if missing := [band for band in BANDS if band not in names]:
            raise DataError(
                f"{path}: found bands {names}, missing {missing}; "
                "name them in the band descriptions of the file"
            )
        raw = source.read([names.index(band) + 1 for band in BANDS])
        nodata = source.nodata
    valid = np.isfinite(raw).all(0)
    if nodata is not None:
        valid &= (raw != nodata).all(0)
    factor, offset = (np.array(part, np.float32)[:, None, None] for part in scale)
    made = np.clip(raw.astype(np.float32) * factor + offset, 0.001, 1.2)
    return np.where(valid, made, np.float32(0)), valid


def read_scenes(folder: Path, scales: Scales) -> list[Scene]:
    """All scenes that the globs of `scales` match, sorted by name.

    Raises
    ------
    DataError
        If a glob matches nothing, or a file is not as `read_bands` wants it.
    """
    scenes = []
    for pattern, scale in scales.items():
        paths = [p for p in sorted(folder.glob(pattern)) if not p.stem.endswith("qa")]
        if not paths:
            raise DataError(f"nothing in {folder} matches {pattern!r}: check the recipe")
        for path in paths:
            values, valid = read_bands(path, scale)
            scenes.append(Scene(path.stem, values, valid, own_water(values, valid)))
    return scenes


def read_shores(folder: Path, globs: Sequence[str], part: str) -> list[Bool]:
    """Masks of lakes, bool ``[y x]``, cut to the columns that a part of the data may use.

    Raises
    ------
    DataError
        If a glob matches nothing.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    paths = [p for pattern in globs for p in sorted(folder.glob(pattern))]
    if not paths:
        raise DataError(f"nothing in {folder} matches {list(globs)}: check the recipe")
    begin, end = PARTS[part]
    made = []
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                mask = source.read(1) == 1
        width = mask.shape[1]
        made.append(mask[:, int(begin * width) : int(end * width)])
    return made


class Simulator:
    """Water years from scenes, shores and gap banks; the same seed gives the same year.

    Parameters
    ----------
    scenes : list of Scene
    shores : list of bool ``[y x]``
    bank : bool ``[n y x]``
        Gap patterns, true = missing.
    """

    def __init__(self, scenes: list[Scene], shores: list[Bool], bank: Bool) -> None:
        self.scenes, self.shores, self.bank = scenes, shores, bank
        self.spectra = water_spectra(scenes)

    def draw(
        self, side: int, seed: Sequence[int], *, scene: Scene | None = None, **options: Any
    ) -> WaterYear:
        """A year over a random square of one scene; options as of `water_year`."""
        rng = np.random.default_rng(list(seed))
        chosen = self.scenes[rng.integers(len(self.scenes))] if scene is None else scene
        piece = _piece(chosen, side, rng)
        shores = _lakes(self.shores[rng.integers(len(self.shores))], side, rng)
        return water_year(piece, shores, self.spectra, self.bank, rng, **options)


def _piece(scene: Scene, side: int, rng: np.random.Generator) -> Scene:
    """A random square, turned and flipped; mirrored beyond the edge where the scene is smaller."""
    arrays: list[NDArray[Any]] = [scene.reflectance, scene.valid[None], scene.water[None]]
    height, width = scene.valid.shape
    pad = ((0, 0), (0, max(0, side - height)), (0, max(0, side - width)))
    y, x = (int(rng.integers(max(n - side, 0) + 1)) for n in (height, width))
    turn, flip = int(rng.integers(4)), rng.random() < 0.5
    made = []
    for array in arrays:
        whole = np.pad(array, pad, mode="symmetric") if pad[1][1] or pad[2][1] else array
        square = np.rot90(whole[:, y : y + side, x : x + side], turn, (1, 2))
        made.append(np.ascontiguousarray(square[:, ::-1] if flip else square))
    return Scene(scene.name, made[0], made[1][0], made[2][0])


def _lakes(mask: Bool, side: int, rng: np.random.Generator) -> Bool:
    """A random square of a mask, enlarged or reduced, turned; not empty where that can be had."""
    made = np.zeros((side, side), bool)
    for _ in range(6):
        zoom = min(rng.uniform(0.6, 2.0), 1e9)
        zoom = max(zoom, side / min(mask.shape))
        size = min(int(np.ceil(side / zoom)), *mask.shape)
        y, x = (int(rng.integers(n - size + 1)) for n in mask.shape)
        index = np.minimum((np.arange(side) / zoom).astype(int), size - 1)
        made = mask[y : y + size, x : x + size][np.ix_(index, index)]
        if zoom > 1:
            made = ndimage.gaussian_filter(made.astype(np.float32), zoom / 2) > 0.5
        if 0.03 < made.mean() < 0.75:
            break
    made = np.rot90(made, int(rng.integers(4)))
    return np.ascontiguousarray(made[:, ::-1] if rng.random() < 0.5 else made)
