"""Real images with real labels of water: dated scenes of a place, and its classes of a year."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import DataError
from xinpaint.io.jrc import on_grid
from xinpaint.train.data import Bool, Float
from xinpaint.train.scenes import Scales, read_bands
from xinpaint.water.years import WaterYear

_DATE = re.compile(r"(?P<place>.+)_(?P<year>\d{4})(?P<month>\d{2})\d{2}")
_YEAR = re.compile(r"(?P<place>.+)_(?P<year>\d{4})")


@dataclass(frozen=True, eq=False)
class LabelledYear:
    """`images` float32 ``[12 3 y x]``, `seen` bool ``[12 y x]`` and `label` uint8 ``[y x]``."""

    name: str
    images: Float
    seen: Bool
    label: NDArray[np.uint8]


def read_years(folder: Path, labels: Sequence[str], scales: Scales) -> list[LabelledYear]:
    """Each label with the images of its place and year.

    Parameters
    ----------
    folder : Path
    labels : sequence of str
        Globs of ``<place>_<yyyy>.tif``: codes of the JRC's YearlyHistory, on any grid.
    scales : mapping of str to scale
        Globs of ``<place>_<yyyymmdd>.tif`` and what makes their numbers reflectance. Dates of one
        month make one image: the mean of what they saw.

    Raises
    ------
    DataError
        If a glob matches nothing, or a label has no image.
    """
    dated: dict[tuple[str, int], list[tuple[int, Path, Any]]] = {}
    for pattern, scale in scales.items():
        for path in sorted(folder.glob(pattern)):
            if match := _DATE.fullmatch(path.stem):
                key = match["place"], int(match["year"])
                dated.setdefault(key, []).append((int(match["month"]), path, scale))
    paths = [p for pattern in labels for p in sorted(folder.glob(pattern))]
    if not paths:
        raise DataError(f"nothing in {folder} matches {list(labels)}: check the recipe")
    years = []
    for path in paths:
        match = _YEAR.fullmatch(path.stem)
        found = dated.get((match["place"], int(match["year"]))) if match else None
        if not found:
            raise DataError(
                f"{path.name} has no images; wanted a name such as lake_2003.tif, and images "
                f"lake_20030510.tif that match one of {list(scales)}"
            )
        years.append(_year(path, found))
    return years


def _year(label: Path, dates: list[tuple[int, Path, Any]]) -> LabelledYear:
    import rasterio

    with rasterio.open(dates[0][1]) as source:
        grid = source.crs, source.transform, source.shape
    total = np.zeros((12, 3, *grid[2]), np.float32)
    count = np.zeros((12, *grid[2]), np.float32)
    for month, path, scale in dates:
        with rasterio.open(path) as source:
            if (source.transform, source.shape) != grid[1:]:
                raise DataError(
                    f"{path.name} is on another grid than {dates[0][1].name}: warp it first"
                )
        values, valid = read_bands(path, scale)
        total[month - 1] += np.where(valid, values, 0)
        count[month - 1] += valid
    images = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
    codes = on_grid([str(label)], *grid, "yearly_history")
    return LabelledYear(label.stem, images, count > 0, codes)


def cut(year: LabelledYear, side: int, months: int, rng: np.random.Generator) -> WaterYear:
    """A random square and a random run of months of a labelled year, turned and flipped."""
    height, width = year.label.shape
    size = min(side, height // 8 * 8, width // 8 * 8)
    y, x = (int(rng.integers(n - size + 1)) for n in (height, width))
    first = int(rng.integers(13 - months))
    turn, flip = int(rng.integers(4)), rng.random() < 0.5

    def square(array: NDArray[Any]) -> NDArray[Any]:
        piece = np.rot90(array[..., y : y + size, x : x + size], turn, (-2, -1))
        return np.ascontiguousarray(piece[..., ::-1] if flip else piece)

    run = slice(first, first + months)
    return WaterYear(square(year.images[run]), square(year.seen[run]), square(year.label))
