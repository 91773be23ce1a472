"""Does the net wait for its data? ``python -m benchmarks.loader``.

Makes the data of some steps of a recipe, then trains on it, and says what both took and for what
share of the time the net waited. Processor time is what a busy machine does not change.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from xinpaint.errors import XinpaintError
from xinpaint.train.data import data_folder
from xinpaint.train.loader import Loader
from xinpaint.train.loop import gather
from xinpaint.train.recipe import read
from xinpaint.train.state import advance, begin

RECIPES = Path(__file__).parent.parent / "xinpaint" / "recipes"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=__doc__)
    ask.add_argument("recipes", nargs="*", default=["convcnp"], help="names of shipped recipes")
    ask.add_argument("--steps", type=int, default=24)
    ask.add_argument("--device", default="cpu")
    ask.add_argument("--out", type=Path, help="write what is printed to a file, too")
    return ask.parse_args(words)


def measure(name: str, steps: int, device: str) -> str:
    """One line about one recipe."""
    plan = replace(read(RECIPES / f"{name}.toml"), start="")
    batch, _ = gather(plan, data_folder())
    begun = time.process_time()
    for step in range(steps):
        batch(step)
    data = (time.process_time() - begun) / steps
    state = begin(plan, device)
    loader = Loader(batch, 0, steps)
    begun = time.process_time()
    for _, now in loader:
        advance(state, now, plan, device)
    both = (time.process_time() - begun) / steps
    return (
        f"{name:16} data {1e3 * data:6.0f} ms, net {1e3 * (both - data):6.0f} ms of processor time "
        f"a step; {loader.threads} thread(s) make data, waited {loader.share:.1%} of the time"
    )


def main(words: Sequence[str] | None = None) -> int:
    """Print a line a recipe."""
    import torch

    asked = arguments(words)
    head = (
        f"{datetime.now(UTC).date()}, {asked.device}, {torch.get_num_threads()} thread(s) for the "
        f"net, {os.cpu_count()} cores, {asked.steps} steps"
    )
    told = [head]
    print(head)
    try:
        for name in asked.recipes:
            told.append(measure(name, asked.steps, asked.device))
            print(told[-1], flush=True)
    except XinpaintError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.out:
        asked.out.write_text("\n".join(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
