"""One method on one case, by the yardstick of `benchmarks.quality`, with calibration beside it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

import xinpaint
from benchmarks.models.runs import Run
from benchmarks.quality import scoring
from benchmarks.quality.scenes import DRAW, KINDS, WIDE, Case, Scene
from benchmarks.quality.scoring import RIVALS, Answer, Memory, answer, judge, key
from xinpaint.core import metrics
from xinpaint.methods.base import Filler
from xinpaint.methods.table import METHODS

#: Classical fillers, one setting each.
CLASSICAL = ("navier_stokes r=5", "telea r=9", "fillnodata", "biharmonic")
#: Kind of gap -> what the page calls it.
GAPS = KINDS | WIDE
#: Central intervals whose coverage is counted.
LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
#: Splits of the page.
OOD, VALIDATION = "ood", "validation"
#: Modules of nets that a case without other dates never comes to.
OF_DATES = frozenset({"align", "other", "regression", "ridge", "similar"})
#: What the validation scene is called, and the side of its windows.
HELD, SIDE = "validation 093/085", 256


@dataclass(frozen=True)
class Row(scoring.Row):
    """Scores of one method on one case; means over bands.

    `crps` is the MAE where there is no spread. `run` is the training seed, `covers` the share of
    hidden pixels inside the central interval of each of `LEVELS`, `sharpness` the mean width of the
    central 90 % interval; both NaN without a spread.
    """

    split: str
    run: int
    covers: tuple[float, ...]
    sharpness: float

    def cover(self, level: float) -> float:
        """Coverage of one of `LEVELS`."""
        return self.covers[LEVELS.index(level)]


def score(case: Case, method: str, filler: Filler, split: str, run: int = 0) -> Row:
    """Fill a case and score the hidden pixels."""
    told = answer(case, filler)
    base = asdict(judge(case, method, told))
    if told.std is None:
        base["crps"] = base["mae"]
    covers, sharpness = _calibration(case, told)
    return Row(**base, split=split, run=run, covers=covers, sharpness=sharpness)


def _calibration(case: Case, told: Answer) -> tuple[tuple[float, ...], float]:
    if told.std is None:
        return (float("nan"),) * len(LEVELS), float("nan")
    target = case.task.target[0]
    parts = [*zip(told.truth, told.mean, told.std, target, strict=True)]
    covers = [np.mean([metrics.coverage(*part, level) for part in parts]) for level in LEVELS]
    widths = [2 * stats.norm.ppf(0.95) * std[hidden].mean() for _, _, std, hidden in parts]
    return tuple(float(c) for c in covers), float(np.mean(widths))


def classical(case: Case, method: str, split: str, memory: Memory) -> Row:
    """The row of a classical filler, from the file where it is known."""
    name, options = RIVALS[method]
    make = METHODS[name]
    known = key(case, f"{_own()} {split} {method}")
    return _row(memory.recall(known, lambda: score(case, method, make(**options), split)))


def neural(case: Case, run: Run, split: str, memory: Memory) -> Row:
    """The row of a net, from the file where it is known."""
    known = known_as(case, run, split)
    made = memory.recall(known, lambda: score(case, run.method, run.filler(), split, run.seed))
    return _row(made)


def known_as(case: Case, run: Run, split: str) -> str:
    """Under what name a net's row is written down."""
    return key(case, f"{split} {run.method} {run.seed}", run.sha256 + _code(run.method))


def _row(made: dict[str, object]) -> Row:
    return Row(**made | {"covers": tuple(made["covers"])})  # type: ignore[arg-type]


def validation_cases(chips: list[Scene], bank: np.ndarray, count: int) -> list[Case]:
    """Windows of chips spread over the validation scene, one mask of each kind a window."""
    drawn = []
    for k in range(count):
        chip = chips[(k * len(chips) // count) % len(chips)]
        y, x = (max(0, (n - SIDE) // 2) for n in chip.values.shape[1:])
        window = (slice(None), slice(y, y + SIDE), slice(x, x + SIDE))
        scene = Scene(HELD, chip.values[window], chip.valid[window])
        shape = (scene.values.shape[1], scene.values.shape[2])
        drawn += [Case(scene, kind, k, DRAW[kind](bank, shape, k)) for kind in GAPS]
    return drawn


@cache
def _code(method: str) -> str:
    """Whatever decides a net's score, beside its weights and the case: no case has other dates."""
    home = Path(xinpaint.__file__).parent
    unused = OF_DATES if method == "convnp" else OF_DATES | {"convnp"}
    files = [f for f in sorted((home / "nets").glob("*.py")) if f.stem not in unused]
    files += [home / "core" / "metrics.py"]
    files += [home / "core" / "intervals.py"]
    files += [home / "core" / "noise.py", home / "methods" / "neural.py", Path(__file__)]
    files += [Path(scoring.__file__)]
    return _hash(*files)


@cache
def _own() -> str:
    """What a row of a classical filler depends on, beside what `benchmarks.quality` counts."""
    return _hash(Path(__file__))


def _hash(*files: Path) -> str:
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
