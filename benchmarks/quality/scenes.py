"""Scenes in their own unit, and the gaps laid over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinpaint.core import masks
from xinpaint.core.metrics import stretch
from xinpaint.core.task import Task
from xinpaint.errors import DataError

#: Kind of gap -> what the report calls it.
KINDS = {"real": "real SLC-off windows", "edge": "simulated stripes at the scan edge"}
#: The same, of gaps that few fillers are made for.
WIDE = {"bigger": "stripes at the scan edge, three times as high", "clouds": "cloud-like blobs"}
#: Scenes of other places that are only ever scored, and the source of their real gaps.
OOD = ("ood/*.tif", "masks/slc_gaps_colombia_256.npz")
#: The scene that choices and calibration may look at, and the source of its real gaps.
VALIDATION = ("train/etm_*P093R085*.tif", "masks/slc_gaps_menindee_256.npz")


@dataclass(frozen=True, eq=False)
class Scene:
    """One image: `values` float32 ``[b y x]`` in its own unit, `valid` bool ``[b y x]``."""

    name: str
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and width of each band's 1-99 percentile stretch, ``[b 1 1]`` each."""
        ends = [stretch(v, ok) for v, ok in zip(self.values, self.valid, strict=True)]
        low, high = np.array(ends).T[:, :, None, None]
        return low, high - low


@dataclass(frozen=True, eq=False)
class Case:
    """A scene under one gap mask bool ``[y x]``."""

    scene: Scene
    kind: str
    seed: int
    gap: NDArray[np.bool_]

    @property
    def task(self) -> Task:
        """Context = valid and not hidden, target = valid and hidden."""
        valid, gap = self.scene.valid[None], self.gap
        values = np.where(valid & ~gap, self.scene.values[None], 0).astype(np.float32)
        return Task(values, valid & ~gap, valid & gap)


def read_scenes(folder: Path, pattern: str) -> list[Scene]:
    """Read the images below `folder` that match, sorted by name.

    Raises
    ------
    DataError
        If there is none.
    """
    import rasterio

    scenes = []
    for path in sorted(folder.glob(pattern)):
        with rasterio.open(path) as source:
            values, nodata = source.read(), source.nodata
        valid = np.ones(values.shape, bool) if nodata is None else values != nodata
        scenes.append(Scene(path.stem, values.astype(np.float32), valid))
    if not scenes:
        raise DataError(f"nothing in {folder} matches {pattern!r}: is XINPAINT_DATA right?")
    return scenes


def read_bank(path: Path) -> NDArray[np.bool_]:
    """Real gap windows bool ``[n y x]``, true = missing."""
    with np.load(path) as file:
        return np.unpackbits(file["mask"], axis=-1).astype(np.bool_)


#: Kind of gap -> what draws it from a bank of real gaps, a shape and a seed.
DRAW: dict[str, Callable[[NDArray[np.bool_], tuple[int, int], int], NDArray[np.bool_]]] = {
    "real": lambda bank, shape, seed: masks.transplant(bank, shape, seed=seed),
    "edge": lambda bank, shape, seed: masks.scan_lines(shape, seed=seed, position=1.0),
    "bigger": lambda bank, shape, seed: masks.scan_lines(shape, seed=seed, position=1.0, width=3.0),
    "clouds": lambda bank, shape, seed: masks.clouds(shape, seed=seed),
}


def cases(
    scenes: list[Scene],
    bank: NDArray[np.bool_],
    seeds: int,
    kinds: Sequence[str] = tuple(KINDS),
) -> list[Case]:
    """Each scene under `seeds` masks of each kind; always the same ones."""
    drawn = []
    for number, scene in enumerate(scenes):
        shape = (scene.values.shape[1], scene.values.shape[2])
        for k in range(seeds):
            seed = 100 * number + k
            drawn += [Case(scene, kind, k, DRAW[kind](bank, shape, seed)) for kind in kinds]
    return drawn
