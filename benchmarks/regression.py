"""Do the variances that ``regression`` gives tell its errors? ``python -m benchmarks.regression``.

Hides real and edge gaps in the dates of the training pairs and series, predicts them from each
other date alone, and prints, for pixels with the same of what a law rests on, how large errors are
in standard deviations (root mean square; the 90 % quantile against a Gaussian's): 1 where the law
holds. The laws are those of docs/methods/regression.md. They were measured on these very pairs, so
this shows how well they fit, not how well they carry over.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import torch

from xinpaint.core.intervals import half_width
from xinpaint.errors import XinpaintError
from xinpaint.nets.align import align
from xinpaint.nets.other import neighbours, predict
from xinpaint.nets.regression import regress
from xinpaint.nets.setconv import local_density, local_statistics
from xinpaint.train.data import Batch, data_folder, read_masks
from xinpaint.train.evaluate import validation_dates
from xinpaint.train.stacks import read_stacks

STACKS = ("pairs/train/*/*.tif", "series/vantage/*.tif")
MASKS = ("masks/slc_gaps_menindee_256.npz",)
#: Bins of what each law rests on.
WORSE = (0.0, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, np.inf)
WEIGHT = (0.0, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0, 2.0, np.inf)


def measured(task: Batch) -> np.ndarray:
    """A row a hidden pixel: `worse`, weight of neighbours, and errors in three kinds of spread.

    Those of the residuals alone, with `worse`, and after similar neighbours.
    """
    truth, target, (values, context, others, known, _) = task.to("cpu")
    values, rows = values * context, []
    for other, mask in zip(others.unbind(1), known.unbind(1), strict=True):
        moved = align(values, context, other * mask, mask)
        plain = regress(values, context, moved, mask)
        better = predict(values, context, other * mask, mask)
        spread = local_statistics(moved, local_density(mask, 6), 6)[1]
        weight = neighbours(values, context, plain, moved, spread)[1]
        wanted = (target > 0) & plain.mean.isfinite() & (plain.error > 0)
        before, after = truth - plain.mean, truth - better.mean
        planes = (
            plain.worse,
            weight,
            before / plain.error.sqrt(),
            before / (plain.error * plain.worse).sqrt(),
            after / (better.error * better.worse).sqrt(),
        )
        rows.append(torch.stack([plane[wanted] for plane in planes], 1))
    return torch.cat(rows).numpy()


def table(
    title: str, by: np.ndarray, bins: tuple[float, ...], columns: dict[str, np.ndarray]
) -> str:
    """Errors in deviations, a line for each bin that holds a thousandth of the pixels."""
    lines = [title, f"{'from':>8} {'to':>8} {'share':>6}" + "".join(f"{c:>24}" for c in columns)]
    for low, high in pairwise(bins):
        inside = (by >= low) & (by < high)
        if inside.mean() < 1e-3:
            continue
        told = ""
        for errors in columns.values():
            size = np.abs(errors[inside])
            wide = float(np.quantile(size, 0.9)) / half_width(0.9)
            told += f"{np.sqrt((size**2).mean()):17.2f}, {wide:5.2f}"
        lines.append(f"{low:8g} {high:8g} {inside.mean():6.1%}{told}")
    return "\n".join(lines)


def main() -> int:
    """Print both tables."""
    try:
        folder = data_folder()
        stacks, bank = read_stacks(folder, STACKS), read_masks(folder, MASKS)
    except XinpaintError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 1
    tasks = validation_dates([], stacks, bank, ("real", "edge"))
    with torch.inference_mode():
        rows = np.concatenate([measured(task) for task in tasks])
    worse, weight, alone, told, after = rows.T
    print("errors in standard deviations: root mean square, and by the 90 % quantile\n")
    by = {"residuals alone": alone, "with the pixel's place": told}
    print(table("by how unlike its surroundings the pixel is", worse, WORSE, by))
    near = {"before": told, "after": after}
    print("\n" + table("by the weight of similar neighbours", weight, WEIGHT, near))
    return 0


if __name__ == "__main__":
    sys.exit(main())
