"""The two pictures of the page: reliability, and what each method makes of one window."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.scoring import LEVELS, OOD, Row
from benchmarks.models.tables import methods_in, one_run, pooled
from benchmarks.quality.report import pick
from benchmarks.quality.scenes import Case, Scene
from benchmarks.quality.scoring import answer
from xinpaint.methods.base import Filler

#: Side of the window that is shown, and what a net may look at around it, in pixels.
SIDE, AROUND = 96, 64


def reliability(rows: Sequence[Row], path: Path) -> None:
    """Nominal against found coverage, pooled over the OOD scenes, one line a method."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="as it should be")
    main = [r for r in one_run(rows) if r.split == OOD and not math.isnan(r.sharpness)]
    for method in methods_in(main):
        own = pick(main, method=method)
        axes.plot(LEVELS, [pooled(own, level) for level in LEVELS], marker=".", label=method)
    axes.set(xlabel="central interval", ylabel="share of hidden pixels inside", aspect="equal")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def strip(case: Case, fillers: Mapping[str, Filler], path: Path) -> None:
    """Observed, each method, truth; below each method its error and its standard deviation."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    case, window = _cut(case)
    told = {name: answer(case, filler) for name, filler in fillers.items()}
    truth = next(iter(told.values())).truth
    hidden = case.task.target[0]
    columns = len(told) + 2
    figure, axes = plt.subplots(
        3, columns, figsize=(1.35 * columns, 4.3), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    _show(axes[0, 0], "observed", np.where(hidden, np.nan, truth), window)
    _show(axes[0, -1], "truth", truth, window)
    for ax, (name, one) in zip(axes.T[1:-1], told.items(), strict=True):
        _show(ax[0], name, np.where(hidden, one.mean, truth), window)
        _grey(ax[1], np.where(hidden, np.abs(one.mean - truth), 0), window)
        if one.std is not None:
            _grey(ax[2], np.where(hidden, one.std, 0), window)
    for row, text in ((1, "error"), (2, "std")):
        axes[row, 0].text(
            0.5, 0.5, text, ha="center", va="center", transform=axes[row, 0].transAxes
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _cut(case: Case) -> tuple[Case, tuple[slice, slice]]:
    """The middle of a case with what may be looked at around it, and where the middle lies."""
    around, inner = [], []
    for size in case.gap.shape:
        first = max(0, size // 2 - SIDE // 2 - AROUND)
        last = min(size, size // 2 + SIDE // 2 + AROUND)
        around.append(slice(first, last))
        begin = max(0, size // 2 - SIDE // 2) - first
        inner.append(slice(begin, begin + min(SIDE, size)))
    read = (slice(None), *around)
    scene = Scene(case.scene.name, case.scene.values[read], case.scene.valid[read])
    gap = case.gap[around[0], around[1]]
    return Case(scene, case.kind, case.seed, gap), (inner[0], inner[1])


def _show(ax: Any, title: str, image: NDArray[np.float64], window: tuple[slice, slice]) -> None:
    """Three bands ``[b y x]`` as red, green and blue; what is NaN is black."""
    picked = [min(k, len(image) - 1) for k in (2, 1, 0)]
    shown = np.moveaxis(image[(slice(None), *window)][picked], 0, -1)
    ax.imshow(np.clip(np.nan_to_num(shown), 0, 1))
    ax.set_title(title, fontsize=7)


def _grey(ax: Any, image: NDArray[np.float64], window: tuple[slice, slice]) -> None:
    """The mean over bands ``[b y x]``, from 0 (white) to 0.3 of the stretched range (black)."""
    ax.imshow(image[(slice(None), *window)].mean(0), cmap="Greys", vmin=0, vmax=0.3)
