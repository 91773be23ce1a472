"""How sure nets are in wide holes: ``python -m benchmarks.models.holes > docs/holes.txt``.

Holes as clouds leave them, 100 to 200 pixels wide, with lone clear pixels in them, over the
validation scene, which no weight was trained on; `xinpaint.nets.frame` was told by what this
prints how much too sure nets are that have learned from narrower gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from benchmarks.quality.scenes import VALIDATION, Case, read_bank, read_scenes
from benchmarks.quality.scoring import answer
from xinpaint.core import masks
from xinpaint.io.weights import filler
from xinpaint.nets.frame import PLENTY, TOO_SURE
from xinpaint.nets.setconv import local_density
from xinpaint.train.data import data_folder

NETS = ("convnp", "convlnp", "ongrid")
#: Nets whose standard deviation is widened where there is little context.
WIDENED = ("convnp", "convlnp")
FAR = 32
SHARES = (0, 0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)


def hole(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Two round holes with uneven rims, and a few clear pixels in them; bool ``[y x]``."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    made = np.zeros(shape, bool)
    for _ in range(2):
        y, x = rows - rng.uniform(60, shape[0] - 60), columns - rng.uniform(60, shape[1] - 60)
        rim = rng.uniform(50, 110) * np.sqrt(1 + 0.2 * np.sin(3 * np.arctan2(y, x)))
        made |= np.hypot(y, x) < rim
    return made & ~ndimage.binary_dilation(rng.random(shape) < 3e-4)


def cases() -> Iterator[Case]:
    """The validation scene's chips under real gaps and holes."""
    folder = data_folder()
    bank = read_bank(folder / VALIDATION[1])
    for seed, scene in enumerate(read_scenes(folder, VALIDATION[0])):
        height, width = scene.values.shape[1:]
        stripes = masks.transplant(bank, (height, width), seed=seed)
        gap = stripes | hole((height, width), np.random.default_rng(seed))
        yield Case(scene, "holes", seed, gap)


def support(gap: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Share of the far window around each pixel that is context, ``[y x]``."""
    context = torch.from_numpy((~gap).astype(np.float32))[None, None]
    made: NDArray[np.float32] = (local_density(context, FAR)[0, 0] / (2 * FAR + 1) ** 4).numpy()
    return made


def inside(net: str, case: Case) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Support and size of the errors, in standard deviations, of all answered hidden pixels."""
    told = answer(case, filler("convnp", model=net, context="space"))
    assert told.std is not None
    known = case.task.target[0] & (told.std > 0)
    share = np.broadcast_to(support(case.gap), known.shape)[known].astype(np.float64)
    return share, np.abs(told.truth - told.mean)[known] / told.std[known]


def main() -> None:
    """Print the share of truths inside the 90 % interval, by support."""
    drawn = list(cases())
    print("truth inside the 90 % interval, by the share of the far window that was observed")
    print(f"{'':24}" + "".join(f"{f'{a}-{b}':>11}" for a, b in pairwise(SHARES)))
    for net in NETS:
        found = [inside(net, case) for case in tqdm(drawn, desc=net, disable=None)]
        share, error = (np.concatenate(part) for part in zip(*found, strict=True))
        print(f"{net:24}" + _row(share, error))
        if net in WIDENED:
            plain = error * (1 + TOO_SURE * np.clip(1 - share / PLENTY, 0, 1))
            print(f"{'  not widened':24}" + _row(share, plain))


def _row(share: NDArray[np.float64], error: NDArray[np.float64]) -> str:
    ends = pairwise(SHARES)
    held = (error[(share > low) & (share <= high)] <= 1.645 for low, high in ends)
    return "".join(f"{part.mean():>11.1%}" for part in held)


if __name__ == "__main__":
    main()
