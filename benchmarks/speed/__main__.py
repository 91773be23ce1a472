"""Speed and memory in one run, as a table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import torch

from benchmarks.speed import scene
from benchmarks.speed.bench_fill import Cube, Method, OpenCV
from benchmarks.speed.bench_import import Import

RIVALS = ("navier_stokes", "telea", "fillnodata")
#: Biharmonic systems grow faster than the image: a small one is enough to see the speed.
SMALL = 256


def best(call: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of `repeat` calls."""
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def rate(side: int, seconds: float) -> float:
    """Mband-pixel/s of the whole image, missing or not."""
    return len(scene.BANDS) * side**2 / seconds / 1e6


def row(label: str, side: int, seconds: float, base: float | None = None) -> float:
    """Print a line, with the ratio to `base` where there is one; return the rate."""
    speed = rate(side, seconds)
    ratio = "" if base is None else f"{speed / base:6.2f}x"
    print(f"{label:44} {side:5}²  {seconds:8.2f} s  {speed:7.2f} {ratio}", flush=True)
    return speed


def fills(side: int, repeat: int) -> None:
    """`convnp` and its rivals on the same arrays."""
    rival = OpenCV()
    rival.setup(side)
    base = row(
        "OpenCV Navier-Stokes r=5, uint8, 2 x 3 bands",
        side,
        best(rival.time_navier_stokes_uint8, repeat),
    )
    cube = Cube()
    cube.setup(None, side)
    row("convnp, Dataset on NumPy", side, best(lambda: cube.time_convnp(None), repeat), base)
    asked: list[tuple[str, dict[str, int]]] = [("convnp", {}), ("convnp", {"turns": 1})]
    for name, options in [*asked, *((rival, {}) for rival in RIVALS)]:
        method = Method()
        method.setup(name, side, **options)
        label = f"{name}, {'turns=1, ' if options else ''}filler on arrays"
        row(label, side, best(lambda: method.time_fill(""), repeat), base)  # noqa: B023
    if side > SMALL:
        method.setup("biharmonic", SMALL)
        row("biharmonic, filler on arrays", SMALL, best(lambda: method.time_fill(""), 1), base)


def lazily(side: int, chunk: int, repeat: int) -> None:
    """The dask path against the NumPy path on the same cube."""
    plain, chunked = Cube(), Cube()
    plain.setup(None, side)
    base = row("convnp, NumPy", side, best(lambda: plain.time_convnp(None), repeat))
    chunked.setup(chunk, side)
    taken = best(lambda: chunked.time_convnp(chunk), repeat)
    row(f"convnp, dask chunks {chunk}²", side, taken, base)


def memory(side: int, chunk: int) -> None:
    """Peak memory, in a process of its own."""
    words = ["-m", "benchmarks.speed.memory", "--side", str(side), "--chunk", str(chunk)]
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, *words], check=True, stdout=subprocess.PIPE, cwd=root)
    told = json.loads(run.stdout)
    row(f"convnp to Zarr, threads, chunks {chunk}²", side, told["seconds"])
    print(f"  resident {told['before_gb']:.2f} GB before, {told['peak_gb']:.2f} GB at the peak")


def main(words: Sequence[str] | None = None) -> None:
    """Run what was asked for; everything by default."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    ask.add_argument("--sides", type=int, nargs="*", default=[1024, 2048], help="of the fills")
    ask.add_argument("--dask-side", type=int, default=4096, help="0 = leave out")
    ask.add_argument("--dask-chunk", type=int, default=2048)
    ask.add_argument("--memory-side", type=int, default=7000, help="0 = leave out")
    ask.add_argument("--memory-chunk", type=int, default=1024)
    ask.add_argument("--repeat", type=int, default=3)
    asked = ask.parse_args(words)
    threads = f"torch {torch.get_num_threads()} threads, OpenCV {cv2.getNumThreads()}"
    print(f"{os.cpu_count()} cores; {threads}; load {os.getloadavg()[0]:.1f}")
    missing = f"{len(scene.BANDS)} bands, {scene.gap(1024).mean():.0%} missing"
    print(f"{missing}; seconds and Mband-pixel/s, best of {asked.repeat}")
    print(f"import xinpaint after xarray: {Import().track_import():.3f} s", flush=True)
    for side in asked.sides:
        fills(side, asked.repeat)
    if asked.dask_side:
        lazily(asked.dask_side, asked.dask_chunk, min(asked.repeat, 2))
    if asked.memory_side:
        memory(asked.memory_side, asked.memory_chunk)


if __name__ == "__main__":
    main()
