"""Water years on scenes, lakes and gaps that nothing was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.scenes import read_bank
from xinpaint.train.scenes import Scales, Simulator, read_scenes, read_shores
from xinpaint.water.years import WaterYear

#: Scene -> what makes its red, nir and swir1 reflectance.
SCENES: Scales = {
    "ood/etm_michigan_usa_20110907.tif": [[1e-4] * 3, [0.0] * 3],
    "ood/etm_olinda_brazil.tif": [[0.00165, 0.0025, 0.00223], [-0.041, -0.022, -0.02]],
    "ood/etm_talca_chile_20130215.tif": [[0.00165, 0.0025, 0.00223], [-0.034, -0.022, -0.014]],
    "ood/tm_canberra_australia_19920323.tif": [[1e-4] * 3, [0.0] * 3],
}
BANK = "masks/slc_gaps_colombia_256.npz"
SHORES = ("water/tm_western_australia_watermask.tif",)
#: Share of each month under cloud, beside real scan-line gaps.
CLOUDS = (0.0, 0.15, 0.3, 0.5)
SIDE, MONTHS = 240, 3


@dataclass(frozen=True, eq=False)
class Case:
    """Three months of one simulated year over one scene."""

    scene: str
    cloud: float
    year: WaterYear

    @property
    def missing(self) -> float:
        """Share of the three months that is missing."""
        return float(1 - self.year.seen.mean())


def draw(folder: Path, seeds: int, clouds: tuple[float, ...] = CLOUDS) -> Iterator[Case]:
    """Every scene under some lakes and years; a year comes with each share of cloud."""
    scenes = read_scenes(folder, SCENES)
    simulator = Simulator(scenes, read_shores(folder, SHORES, "test"), read_bank(folder / BANK))
    for k, scene in enumerate(scenes):
        for seed in range(seeds):
            for cloud in clouds:
                made = simulator.draw(
                    SIDE, [2024, k, seed], scene=scene, months=MONTHS, cloud=cloud
                )
                yield Case(scene.name, cloud, made)


def days(case: Case) -> np.ndarray:
    """Days of the months, the middles of three months in a row."""
    return np.array([15.0, 46.0, 74.0])[: len(case.year.seen)]
