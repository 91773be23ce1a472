"""Command line of the benchmark of water."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.water import report
from benchmarks.water.cases import CLOUDS, draw
from benchmarks.water.scoring import Row, score
from xinpaint.errors import XinpaintError
from xinpaint.io.weights import WATER, classifier, filler, find
from xinpaint.train.data import data_folder

#: Label of the report -> method and its options.
FILLERS = {
    "Navier-Stokes": ("navier_stokes", {}),
    "linear in time": ("linear_time", {}),
    "ConvCNP": ("convnp", {"weights": "convcnp"}),
    "ConvNP with dates": ("convnp", {}),
}


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.water", description=__doc__)
    ask.add_argument("--weights", default=WATER, help="of the net; a name or a .safetensors file")
    ask.add_argument("--seeds", type=int, default=8, help="years a scene")
    ask.add_argument("--clouds", type=float, nargs="+", default=list(CLOUDS), help="shares")
    ask.add_argument("--own", action="store_true", help="no filler; writes no page")
    ask.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    return ask.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Score, print and write the page."""
    asked = arguments(words)
    rows: list[Row] = []
    try:
        folder, net = data_folder(), classifier(asked.weights, "cpu")
        chosen = {} if asked.own else FILLERS
        fillers = {label: filler(name, **more) for label, (name, more) in chosen.items()}
        for case in draw(folder, asked.seeds, tuple(asked.clouds)):
            rows += score(case, fillers, net)
            print(f"{case.scene} {case.cloud:.0%}", file=sys.stderr)
        text = report.page(rows, find(asked.weights).sha256, asked.seeds)
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    print(text)
    if not asked.own and tuple(asked.clouds) == CLOUDS:
        (asked.docs / "results-water.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
