"""What adapting to a place brings on its own gaps: ``python -m benchmarks.adapt``.

Each scene is given real SLC-off gaps. The weights are adapted to what is left of it, as a user
would, and fill those gaps before and after; what they hid is scored, and was never seen by either.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from benchmarks.quality.scenes import OOD, VALIDATION, Case, read_bank, read_scenes
from benchmarks.quality.scoring import Row, score
from xinpaint.core import masks
from xinpaint.errors import XinpaintError
from xinpaint.io.weights import filler, find
from xinpaint.train.adapt import Adapted, adapt
from xinpaint.train.data import data_folder

#: Which window of the bank is laid over a scene.
SEED = 4242
#: Places that no weight has seen.
PLACES = (OOD[0], "pairs/ood/*/*.tif", "slc_off/etm_menindee_*.tif")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.adapt", description=__doc__)
    ask.add_argument("scenes", nargs="*", help="parts of names of scenes that no weight has seen")
    ask.add_argument("--weights", default="convcnp")
    ask.add_argument("--minutes", type=float, default=10.0)
    ask.add_argument("--steps", type=int)
    ask.add_argument("--validation", action="store_true", help="validation chips instead")
    ask.add_argument("--out", type=Path, help="write what is printed to a file, too")
    return ask.parse_args(words)


def gappy(case: Case) -> xr.Dataset:
    """The scene as a cube that lacks what the case hides."""
    seen = case.scene.valid & ~case.gap
    values = np.where(seen, case.scene.values, np.nan).astype(np.float32)
    return xr.Dataset({f"band{k}": (("y", "x"), band) for k, band in enumerate(values)})


def line(case: Case, done: Adapted, before: Row, after: Row | None, seconds: float) -> str:
    """One scene: gains on its gaps and on the held-out blocks."""
    name = f"{case.scene.name:32} {case.gap.mean():4.0%} missing"
    held = f"held-out blocks PSNR {done.gain['psnr']:+.2f} dB, CRPS {done.gain['crps']:+.1%}"
    took = f"{done.steps} steps, {seconds:.0f} s of processor time ({done.seconds:.0f} s in all)"
    if after is None:
        return f"{name}  not written: {held}; {took}"
    return (
        f"{name}  PSNR {before.psnr:.2f} -> {after.psnr:.2f} dB ({after.psnr - before.psnr:+.2f}), "
        f"SSIM {before.ssim:.4f} -> {after.ssim:.4f}, CRPS {before.crps:.5f} -> {after.crps:.5f} "
        f"({1 - after.crps / before.crps:+.1%}), 90 % covers {before.coverage:.1%} -> "
        f"{after.coverage:.1%}; {held}; {took}"
    )


def run(asked: argparse.Namespace) -> list[str]:
    """Adapt to each scene and score its gaps before and after."""
    import torch

    patterns, bank = (VALIDATION[:1], VALIDATION[1]) if asked.validation else (PLACES, OOD[1])
    folder = data_folder()
    found = [scene for pattern in patterns for scene in read_scenes(folder, pattern)]
    windows = read_bank(folder / bank)
    chosen = [s for s in found if not asked.scenes or any(w in s.name for w in asked.scenes)]
    parent = find(asked.weights)
    limit = f"{asked.steps} steps" if asked.steps else f"at most {asked.minutes:g} minutes"
    head = (
        f"{datetime.now(UTC).date()}, {Path(parent.path).stem} {parent.sha256[:12]}, real SLC-off "
        f"gaps, {limit} a scene, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores"
    )
    told = [head]
    print(told[0])
    for scene in chosen:
        gap = masks.transplant(windows, scene.values.shape[1:], seed=SEED)
        case = Case(scene, "real", SEED, gap)
        with TemporaryDirectory() as place:
            begun = time.process_time()
            options = {"weights": asked.weights, "minutes": asked.minutes, "steps": asked.steps}
            done = adapt(gappy(case), place, **options)
            seconds = time.process_time() - begun
            before = score(case, "before", filler("convnp", weights=asked.weights))
            after = None
            if done.weights is not None:
                after = score(case, "after", filler("convnp", weights=done.weights))
        told.append(line(case, done, before, after, seconds))
        print(told[-1], flush=True)
    return told


def main(words: Sequence[str] | None = None) -> int:
    """Print a line a scene."""
    asked = arguments(words)
    try:
        told = run(asked)
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.out:
        asked.out.write_text("\n".join(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
