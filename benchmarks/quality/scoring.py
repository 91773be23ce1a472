"""One method on one case, by the yardstick; what never changes is kept in a file."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

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


def score(case: Case, method: str, filler: Filler) -> Row:
    """Fill a case and score the hidden pixels on values stretched to 0-1 a band.

    A pixel without an answer gets the mean of its band's context, so that silence does not pay.
    """
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
    scores = []
    for band, hidden in enumerate(target):
        image = np.where(hidden, mean[band], truth[band])
        row = [
            metrics.psnr(truth[band], mean[band], hidden),
            metrics.ssim(truth[band], image, case.scene.valid[band]),
            metrics.mae(truth[band], mean[band], hidden),
        ]
        if fill.std is None:
            row += [float("nan")] * 2
        else:
            std = np.nan_to_num(fill.std[0, band] / width[band])
            row += [
                metrics.crps(truth[band], mean[band], std, hidden),
                metrics.coverage(truth[band], mean[band], std, hidden),
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
        answered=float(answered[target].mean()),
        psnr=psnr,
        ssim=ssim,
        mae=mae,
        crps=crps,
        coverage=coverage,
        seconds=seconds,
    )


class Memory:
    """Rows of the rivals in a JSON file; forgotten when data, mask, code or libraries change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, object]] = {}
        if path.is_file():
            self.rows = json.loads(path.read_text())

    def score(self, case: Case, method: str) -> Row:
        """The row of a rival, from the file where it is known."""
        name, options = RIVALS[method]
        key = _key(case, method)
        if key not in self.rows:
            self.rows[key] = asdict(score(case, method, METHODS[name](**options)))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(".partial")
            part.write_text(json.dumps(self.rows))
            part.replace(self.path)
        return Row(**self.rows[key])  # type: ignore[arg-type]


def _key(case: Case, method: str) -> str:
    told = hashlib.sha256(f"{case.scene.name} {case.kind} {case.seed} {method} {_code()}".encode())
    for part in (case.scene.values, case.scene.valid, case.gap):
        told.update(np.ascontiguousarray(part))
    return told.hexdigest()


@cache
def _code() -> str:
    """Whatever decides a rival's score, beside the case."""
    home = Path(xinpaint.__file__).parent
    names = [*(f"methods/{name}.py" for name in (*METHODS, "planes")), "core/metrics.py"]
    told = hashlib.sha256(Path(__file__).read_bytes())
    for name in names:
        told.update((home / name).read_bytes())
    for package in ("opencv-python-headless", "rasterio", "scikit-image", "scipy", "numpy"):
        told.update(version(package).encode())
    return told.hexdigest()
