"""How far do regressions on other dates carry into large clouds? ``python -m benchmarks.clouds``.

Hides half to two thirds of one date of each training pair under clouds 100 to 300 pixels wide and
predicts them from the other date in two windows of one size each. Prints, by the share of the
smaller window that both dates saw, the error (root mean square, bands stretched to 0-1), and by
the share of the larger one how large errors are in standard deviations (the 90 % quantile against
a Gaussian's) without and with what `xinpaint.nets.other` adds for a small share. Windows and law
were chosen on these very pairs.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from xinpaint.core.intervals import half_width
from xinpaint.errors import XinpaintError
from xinpaint.nets import ridge
from xinpaint.nets.other import farthest
from xinpaint.nets.regression import regressions
from xinpaint.train.data import data_folder
from xinpaint.train.stacks import Stack, read_stacks

STACKS = ("pairs/train/*/*.tif",)
SIDE, WIDTH, REPEATS = 400, 35.0, 4
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 1.0)


def clouds(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Half to two thirds of an image, in blobs, bool ``[y x]``."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), WIDTH, mode="wrap")
    return np.asarray(field > np.quantile(field, (0.35, 0.5)[seed % 2]))


def measured(stack: Stack, date: int, other: int, seed: int) -> np.ndarray:
    """A row a pixel of all bands far from common ground.

    Shares of the smaller and larger window, whether the smaller one answers; errors by both, and
    the larger one's in two kinds of deviation.
    """
    height, width = (min(SIDE, n // 8 * 8) for n in stack.valid.shape[2:])
    values, valid = (
        torch.from_numpy(np.asarray(part[..., :height, :width], np.float32))
        for part in (stack.values, stack.valid)
    )
    truth, seen = values[date][None], valid[date][None]
    gap = torch.from_numpy(clouds((height, width), seed))
    context = seen * ~gap
    row = (truth * context, context, values[other][None] * valid[other][None], valid[other][None])
    smaller = regressions(*row, (ridge.FAR,), rough=True)[0]
    larger, told = regressions(*row, (ridge.FARTHEST,), rough=True)[0], farthest(*row)
    both = context * row[3]
    parts = (
        _share(both, ridge.FAR),
        _share(both, ridge.FARTHEST),
        truth - smaller.mean,
        truth - larger.mean,
        (truth - larger.mean) / (larger.error * larger.worse).sqrt(),
        (truth - told.mean) / (told.error * told.worse).sqrt(),
    )
    # what the near and wide windows answer is none of this
    near = _share(both, ridge.NEAR) * 400 + ridge.WIDE_SHARE * _share(both, ridge.WIDE) * 52**2
    wanted = gap & (seen > 0) & (near < ridge.LEAST) & larger.mean.isfinite()
    return torch.stack([part.expand_as(truth)[wanted] for part in parts], 1).numpy()


def _share(both: Tensor, half: int) -> Tensor:
    return ridge.support(both, half).to(both.dtype)


def tables(rows: np.ndarray) -> str:
    """Both tables as text."""
    far, farther, short, long, plain, told = rows.T
    lines = [
        "RMSE by the share of the smaller window",
        f"{'share':>12} {'smaller':>8} {'larger':>8}",
    ]
    for low, high in pairwise(SHARES):
        some = (far >= low) & (far < high) & np.isfinite(short)
        if some.any():
            errors = [np.sqrt((x[some] ** 2).mean()) for x in (short, long)]
            lines.append(f"{low:5.2f}-{high:5.2f} {errors[0]:9.3f} {errors[1]:8.3f}")
    lines += ["", "errors in deviations by the share of the larger window: plain, with its law"]
    for low, high in pairwise(SHARES):
        some = (farther >= low) & (farther < high) & np.isfinite(told)
        if some.any():
            wide = [np.quantile(np.abs(x[some]), 0.9) / half_width(0.9) for x in (plain, told)]
            lines.append(f"{low:5.2f}-{high:5.2f} {wide[0]:9.2f} {wide[1]:8.2f}")
    return "\n".join(lines)


def main() -> int:
    """Print both tables."""
    try:
        stacks = read_stacks(data_folder(), STACKS)
    except XinpaintError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 1
    rows = []
    with torch.inference_mode():
        for stack in stacks:
            whole = np.flatnonzero(stack.whole)[:2]
            if len(whole) == 2:
                pairs = [(*order, k) for k in range(REPEATS) for order in (whole, whole[::-1])]
                rows += [measured(stack, *pair) for pair in pairs]
    print(tables(np.concatenate(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
