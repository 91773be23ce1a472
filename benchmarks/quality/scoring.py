"""One method on one case, by the yardstick; what never changes is kept in a file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xinpaint
from benchmarks.quality.scenes import Case
from xinpaint.core import metrics
from xinpaint.methods.base import Filler
from xinpaint.methods.table import METHODS

#: Column of the report -> (method, options). The rivals; all run from the same code as a user's.
RIVALS: dict[str, tuple[str, dict[str, float]]] = {
    "navier_stokes r=3": ("navier_stokes", {"radius": 3}),
    "navier_stokes r=5": ("navier_stokes", {"radius": 5}),
    "navier_stokes r=9": ("navier_stokes", {"radius": 9}),
    "telea r=3": ("telea", {"radius": 3}),
    "telea r=5": ("telea", {"radius": 5}),
    "telea r=9": ("telea", {"radius": 9}),
    "fillnodata": ("fillnodata", {}),
    "biharmonic": ("biharmonic", {}),
}


@dataclass(frozen=True)
class Row:
    """Scores of one method on one case; means over bands. NaN where a method has no std."""

    scene: str
    mask: str
    seed: int
    method: str
    missing: float
    hidden: int
    answered: float
    psnr: float
    ssim: float
    mae: float
    crps: float
    coverage: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Answer:
    """A filled case on values stretched to 0-1 a band, all ``[b y x]``; `std` None without one."""

    truth: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64] | None
    answered: float
    seconds: float


def answer(case: Case, filler: Filler) -> Answer:
    """Fill a case. A pixel without an answer gets the mean of its band's context, and std 0."""
    task = case.task
    start = time.perf_counter()
    fill = filler.fill(task)
    seconds = time.perf_counter() - start
    low, width = case.scene.scale()
    truth = np.where(case.scene.valid, (case.scene.values - low) / width, 0)
    target, context = task.target[0], task.context[0]
    answered = np.isfinite(fill.mean[0])
    mean = (fill.mean[0] - low) / width
    for band, known in enumerate(answered):
        mean[band][~known] = truth[band][context[band]].mean()
    std = None if fill.std is None else np.nan_to_num(fill.std[0] / width)
    return Answer(truth, mean, std, float(answered[target].mean()), seconds)


def score(case: Case, method: str, filler: Filler) -> Row:
    """Fill a case and score the hidden pixels; silence does not pay, see `answer`."""
    return judge(case, method, answer(case, filler))


def judge(case: Case, method: str, told: Answer) -> Row:
    """Score the hidden pixels of a filled case."""
    target, truth, mean = case.task.target[0], told.truth, told.mean
    scores = []
    for band, hidden in enumerate(target):
        image = np.where(hidden, mean[band], truth[band])
        row = [
            metrics.psnr(truth[band], mean[band], hidden),
            metrics.ssim(truth[band], image, case.scene.valid[band]),
            metrics.mae(truth[band], mean[band], hidden),
        ]
        if told.std is None:
            row += [float("nan")] * 2
        else:
            row += [
                metrics.crps(truth[band], mean[band], told.std[band], hidden),
                metrics.coverage(truth[band], mean[band], told.std[band], hidden),
            ]
        scores.append(row)
    psnr, ssim, mae, crps, coverage = np.mean(scores, axis=0).tolist()
    return Row(
        scene=case.scene.name,
        mask=case.kind,
        seed=case.seed,
        method=method,
        missing=float(case.gap.mean()),
        hidden=int(target.sum()),
        answered=told.answered,
        psnr=psnr,
        ssim=ssim,
        mae=mae,
        crps=crps,
        coverage=coverage,
        seconds=told.seconds,
    )


class Memory:
    """Rows in a JSON file; forgotten when data, mask, code or libraries change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self.rows = json.loads(path.read_text())

    def score(self, case: Case, method: str) -> Row:
        """The row of a rival, from the file where it is known."""
        name, options = RIVALS[method]
        ready = METHODS[name]
        made = self.recall(key(case, method), lambda: score(case, method, ready(**options)))
        return Row(**made)

    def recall(self, known_as: str, make: Callable[[], Row]) -> dict[str, Any]:
        """The fields of a row, made and written down where the file does not know it."""
        if known_as not in self.rows:
            self.rows[known_as] = asdict(make())
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(".partial")
            part.write_text(json.dumps(self.rows))
            part.replace(self.path)
        return self.rows[known_as]


def key(case: Case, method: str, code: str = "") -> str:
    """Hash of whatever decides a score: the case, the method, the code (that of the rivals)."""
    code = code or _code()
    told = hashlib.sha256(f"{case.scene.name} {case.kind} {case.seed} {method} {code}".encode())
    for part in (case.scene.values, case.scene.valid, case.gap):
        told.update(np.ascontiguousarray(part))
    return told.hexdigest()


@cache
def _code() -> str:
    """Whatever decides a rival's score, beside the case."""
    home = Path(xinpaint.__file__).parent
    names = [f"methods/{name}.py" for name in (*METHODS, "planes")]
    names += ["core/metrics.py", "core/intervals.py"]
    told = hashlib.sha256(Path(__file__).read_bytes())
    for name in names:
        told.update((home / name).read_bytes())
    for package in ("opencv-python-headless", "rasterio", "scikit-image", "scipy", "numpy"):
        told.update(version(package).encode())
    return told.hexdigest()
