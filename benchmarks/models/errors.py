"""How errors are spread and hang together: ``python -m benchmarks.models.errors``.

On windows of the validation scene, which no weight was trained on. What `xinpaint.core.intervals`
and `xinpaint.core.coherent` know of errors was chosen by what this prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.models.__main__ import draw
from benchmarks.models.coherence import autocorrelation
from benchmarks.models.scoring import GAPS
from benchmarks.quality.scenes import Case
from benchmarks.quality.scoring import answer
from xinpaint.core.intervals import DEGREES, SCALE
from xinpaint.io.weights import filler
from xinpaint.train.data import data_folder

LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95)
LAGS = (1, 2, 3, 4, 6, 8, 12)
Ranks = tuple[str, NDArray[np.float64], NDArray[np.bool_]]


def units(cases: Iterable[Case], model: str) -> list[Ranks]:
    """Kind of gap, errors in standard deviations ``[b y x]``, and where they count."""
    ready, found = filler("convnp", model=model, context="space"), []
    for case in cases:
        told = answer(case, ready)
        assert told.std is not None
        error = (told.truth - told.mean) / np.maximum(told.std, 1e-6)
        found.append((case.kind, error, case.task.target[0]))
    return found


def spread(found: Sequence[Ranks]) -> list[str]:
    """Coverage of intervals whose 90 % is that of ± 1.645 std, by the shape of the tails."""
    pooled = np.abs(np.concatenate([error[hidden] for _, error, hidden in found]))
    lines = [f"{pooled.size:,} errors; inside the interval of     " + _row(LEVELS, ".0%")]
    shapes = {"Gaussian": stats.norm} | {f"t, {n} degrees": stats.t(n) for n in (3, 4, 5, 6, 8)}
    for name, shape in shapes.items():
        ends = [1.645 * shape.ppf(0.5 + p / 2) / shape.ppf(0.95) for p in LEVELS]
        lines.append(f"  {name:36} " + _row([(pooled <= end).mean() for end in ends], ".1%"))
    return lines


def together(found: Sequence[Ranks]) -> list[str]:
    """Correlation of errors, as ranks, some pixels apart and between bands."""
    lines = ["correlation of errors (normal scores), pixels apart" + _row(LAGS, "d") + "   bands"]
    means = []
    for kind in dict.fromkeys(kind for kind, _, _ in found):
        each = []
        for _, error, hidden in (one for one in found if one[0] == kind):
            rank = stats.norm.ppf(np.clip(stats.t.cdf(error / SCALE, DEGREES), 1e-6, 1 - 1e-6))
            rank = np.where(hidden, rank, 0.0)
            apart = [
                np.nanmean([autocorrelation(r, h, k) for r, h in zip(rank, hidden, strict=True)])
                for k in LAGS
            ]
            matrix = np.corrcoef(rank[:, hidden.all(0)])
            off = matrix[~np.eye(len(matrix), dtype=bool)]
            each.append([*apart, off.mean()])
        means.append(np.mean(each, axis=0))
        lines.append(f"  {GAPS[kind]:48} " + _row(means[-1], ".3f"))
    lines.append(f"  {'mean':48} " + _row(np.mean(means, axis=0), ".3f"))
    return lines


def _row(numbers: Iterable[float], form: str) -> str:
    return " ".join(f"{number:>7{form}}" for number in numbers)


def main(words: Sequence[str] | None = None) -> None:
    """Print both tables."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.models.errors", description=__doc__)
    ask.add_argument("--model", default="convnp", help="which net")
    ask.add_argument("--windows", type=int, default=6, help="of the scene, each under every gap")
    asked = ask.parse_args(words)
    cases = [case for _, case in draw(data_folder(), asked.windows, True)]
    found = units(cases, asked.model)
    print("\n".join([f"{asked.model}, validation scene", *spread(found), *together(found)]))


if __name__ == "__main__":
    main()
