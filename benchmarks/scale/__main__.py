"""Throughput, where the time goes, and memory of the fill job, as text."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import xinpaint
from benchmarks.scale import bare, cubes, watch
from benchmarks.speed import scene
from xinpaint.core.task import Fill, Task
from xinpaint.io import work
from xinpaint.io.jobspec import plan
from xinpaint.io.store import create
from xinpaint.io.weights import filler

Say = Callable[[str], None]
WORKERS = 2
#: Blocks whose parts are timed.
SAMPLE = 8


def throughput(say: Say, folder: Path, side: int, block: int) -> float:
    """The job in two processes against the net alone in two processes, on the same tiles.

    Band-pixels a second of the job.
    """
    cubes.write(folder / "cube.zarr", side, block)
    count = (side // block) ** 2
    pixels = len(scene.BANDS) * block**2
    alone = bare.processes(side, block, WORKERS)
    report = xinpaint.fill(
        *(folder / "cube.zarr", folder / "filled.zarr", "convnp"),
        device="cpu",
        block=block,
        workers=WORKERS,
        progress=False,
    )
    assert report.complete, report
    skip = 2 * WORKERS
    rate = watch.steady(watch.moments(folder / "filled.zarr", scene.BANDS[0]), skip)
    missing = f"{len(scene.BANDS)} bands, {scene.gap(side).mean():.0%} missing"
    say(f"{count} blocks of {block}², {missing}; rates from block {skip + 1} of the job on")
    say(f"  bare net, {WORKERS} processes   {pixels * count / alone / 1e6:8.3f} Mband-pixel/s")
    say(f"  the job, {WORKERS} processes    {pixels * rate / 1e6:8.3f} Mband-pixel/s")
    say(f"  the job / the bare net   {rate * alone / count:8.1%}   (wanted: 85 %)")
    say(f"  the whole call took {report.seconds:.1f} s, starting the workers included")
    return pixels * rate


def projection(say: Say, rate: float) -> None:
    """What the measured rate means for a continent, if every block of it has gaps."""
    area, pixel, dates = 30.4e6, 30.0, 23  # Africa in km², metres, a year of 16-day revisits
    pixels = area * 1e6 / pixel**2 * dates * len(scene.BANDS)
    hours = pixels / rate / 3600
    cube = f"{pixel:.0f} m, {dates} dates, {len(scene.BANDS)} bands"
    say(f"Africa, {cube}: {pixels:.2g} band-pixels, at the job's rate {hours:,.0f} hours of this")
    say(f"  machine, or {hours / 168:,.0f} such machines for a week")


class Timed:
    """A filler with a watch."""

    has_std = True

    def __init__(self, inner: Any) -> None:
        self.inner, self.seconds = inner, 0.0

    @property
    def halo(self) -> Any:
        return self.inner.halo

    def fill(self, task: Task) -> Fill:
        begun = time.process_time()
        made: Fill = self.inner.fill(task)
        self.seconds += time.process_time() - begun
        return made


def shares(say: Say, folder: Path, side: int, block: int) -> None:
    """Where one process spends its processor time, block after block."""
    src = str(folder / "cube.zarr")
    timed = Timed(filler("convnp", device="cpu", context="space"))
    job, head, ready = plan(src, str(folder / "shares.zarr"), timed, {}, block)
    create(job, head, ready)
    spent = dict.fromkeys(("read", "tasks and compose", "net", "write"), 0.0)
    places = [(0, row, column) for row in range(side // block) for column in range(side // block)]
    for number, index in enumerate([places[0], *places[:SAMPLE]]):
        if number == 1:
            spent, timed.seconds = dict.fromkeys(spent, 0.0), 0.0
        laps = [time.process_time()]
        read = work.read_block(job, index)
        laps.append(time.process_time())
        filled = work.fill_block(job, read)
        laps.append(time.process_time())
        outcome = work.write_block(job, index, filled)
        laps.append(time.process_time())
        assert not outcome.cause, outcome
        spent["read"] += laps[1] - laps[0]
        spent["tasks and compose"] += laps[2] - laps[1]
        spent["write"] += laps[3] - laps[2]
    spent["net"] = timed.seconds
    spent["tasks and compose"] -= timed.seconds
    whole = sum(spent.values())
    told = ", ".join(f"{name} {part / whole:.1%}" for name, part in spent.items())
    say(f"processor time of a block, {whole / min(SAMPLE, len(places)):.2f} s: {told}")


def memory(say: Say, folder: Path, blocks: int, block: int) -> None:
    """Resident bytes of the workers over many blocks."""
    dates = -(-blocks // 16)
    size = cubes.write(folder / "many.zarr", 4 * block, block, dates=dates)
    with watch.Memory() as seen:
        report = xinpaint.fill(
            *(folder / "many.zarr", folder / "many-filled.zarr", "convnp"),
            device="cpu",
            context="space",
            block=(1, block, block),
            workers=WORKERS,
            progress=False,
        )
    assert report.complete, report
    steady = seen.samples[len(seen.samples) // 10 :]
    half = len(steady) // 2
    first, last = (statistics.median(part) / 1e6 for part in (steady[:half], steady[half:]))
    count = sum(report.blocks.values())
    say(f"{count} blocks of {block}² in {WORKERS} processes: a worker holds {first:.0f} MB in the")
    say(f"  first half, {last:.0f} MB in the second, {max(steady) / 1e6:.0f} MB at the most;")
    say(f"  a block with halo is {size / 1e6:.1f} MB")


def main(words: Sequence[str] | None = None) -> None:
    """Run all of it; print it and, with --out, write it."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    ask.add_argument("--side", type=int, default=4096, help="of the cube, in pixels")
    ask.add_argument("--block", type=int, default=512)
    ask.add_argument("--memory-blocks", type=int, default=2000, help="0 = leave out")
    ask.add_argument("--memory-block", type=int, default=128)
    ask.add_argument("--out", type=Path, help="text file, such as docs/scale.txt")
    asked = ask.parse_args(words)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, CPU")
    if not torch.cuda.is_available():
        say("no CUDA device: nothing here was measured on one")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = throughput(say, folder, asked.side, asked.block)
        shares(say, folder, asked.side, asked.block)
        if asked.memory_blocks:
            memory(say, folder, asked.memory_blocks, asked.memory_block)
    projection(say, rate)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
