"""Throughput, memory, sizes of blocks and a million blocks of the fill job, as text."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

import xinpaint
from benchmarks.scale import bare, cubes, curve, million, watch
from benchmarks.speed import scene

Say = Callable[[str], None]
WORKERS = 2
#: Blocks of the curve: dates, rows, columns.
BLOCKS = ((1, 128, 128), (1, 256, 256), (1, 512, 512), (1, 1024, 1024), (8, 512, 512))
PARTS = ("throughput", "blocks", "memory", "million")


def throughput(say: Say, folder: Path, side: int, block: int) -> float:
    """The job in two processes against the net alone in two processes, on the same tiles.

    The net runs on half of them before the job and on half after it, so that another load that
    comes or goes meets both. Band-pixels a second of the job.
    """
    cubes.write(folder / "cube.zarr", side, block)
    count = (side // block) ** 2
    pixels = len(scene.BANDS) * block**2
    places = [(row, column) for row in range(side // block) for column in range(side // block)]
    alone = bare.processes(side, block, places[::2], WORKERS)
    begun = time.process_time()
    report = xinpaint.fill(
        *(folder / "cube.zarr", folder / "filled.zarr", "convnp"),
        device="cpu",
        block=block,
        workers=WORKERS,
        progress=False,
    )
    driver = (time.process_time() - begun) / count
    assert report.complete, report
    alone += bare.processes(side, block, places[1::2], WORKERS)
    skip = 2 * WORKERS
    rate = watch.steady(watch.moments(folder / "filled.zarr", scene.BANDS[0]), skip)
    missing = f"{len(scene.BANDS)} bands, {scene.gap(side).mean():.0%} missing"
    say(f"{count} blocks of {block}², {missing}; rates from block {skip + 1} of the job on")
    say(f"  bare net, {WORKERS} processes   {pixels * count / alone / 1e6:8.3f} Mband-pixel/s")
    say(f"  the job, {WORKERS} processes    {pixels * rate / 1e6:8.3f} Mband-pixel/s")
    say(f"  the job / the bare net   {rate * alone / count:8.1%}   (wanted: 85 %)")
    say(f"  the whole call took {report.seconds:.1f} s, starting the workers included;")
    say(f"  the driver {1000 * driver:.1f} ms of processor time a block (wanted: 10 ms)")
    return pixels * rate


def sizes(say: Say, folder: Path, side: int, blocks: Sequence[tuple[int, int, int]]) -> None:
    """What blocks of several sizes cost one process."""
    for dates in {dates for dates, _, _ in blocks}:
        cubes.write(folder / f"{dates}.zarr", 3 * side, curve.TILE, dates=dates)
    say(f"one process of one thread; source in chunks of {curve.TILE}²; processor time; memory:")
    say("  the block with its halo; the process with one tile in the bare net, with blocks; what")
    say("  the job adds, in blocks with their halo (wanted: at most 4)")
    say("  block      Mband-pixel/s   net  read write other | block MB   net MB   job MB  added")
    for dates, tall, wide in blocks:
        dst = folder / f"filled-{dates}-{tall}.zarr"
        made = curve.apart(folder / f"{dates}.zarr", dst, (dates, tall, wide), side)
        whole = sum(made[part] for part in curve.PARTS)
        parts = [made[p] / whole for p in ("net", "read", "write", "tasks and compose")]
        shares = " ".join(f"{part:5.1%}" for part in parts)
        added = made["job"] - made["alone"]
        held = " ".join(f"{made[name] / 1e6:8.1f}" for name in ("block", "alone", "job"))
        rate = f"{made['pixels'] / whole / 1e6:13.3f}"
        say(f"  {f'{dates}×{tall}²':9} {rate}   {shares} | {held} {added / made['block']:6.1f}")


def memory(say: Say, folder: Path, blocks: int, block: int) -> None:
    """Resident bytes of the workers over many blocks."""
    dates = -(-blocks // 16)
    cubes.write(folder / "many.zarr", 4 * block, block, dates=dates)
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
    say(f"  first half, {last:.0f} MB in the second, {max(steady) / 1e6:.0f} MB at the most")


def many(say: Say, folder: Path, execute: int) -> None:
    """A million blocks, of which some are executed; and 10,000 as one lazy graph."""
    for name in ("written", "executed"):
        (folder / name).mkdir()
    took = million.written_down(folder / "written")
    told = ", ".join(f"{took[name]:.3f} s to {name}" for name in ("plan", "lay out"))
    status = f"{took['scan']:.3f} s to read (wanted: 1), {took['flush']:.3f} s to write (0.1)"
    say(f"a million blocks: {told}; their status {status};")
    say(f"  driver {1000 * took['drive']:.3f} ms a block with nothing to compute")
    made = million.executed(folder / "executed", execute)
    say(f"{execute:,} of them executed on a dask cluster, nothing to compute: driver")
    say(f"  {1000 * made['driver']:.2f} ms of processor time a block (wanted: 10), with client and")
    say(f"  scheduler {1000 * made['process']:.2f} ms; these grew by {made['growth'] / 1e6:.1f} MB")
    say("  (wanted: 20)")
    seconds, size = million.lazily(folder)
    say(f"10,000 blocks as one lazy graph: {seconds:.1f} s (wanted: 30), {size / 1e6:.0f} MB (700)")


def projection(say: Say, rate: float) -> None:
    """What the measured rate means for a continent, if every block of it has gaps."""
    area, pixel, dates = 30.4e6, 30.0, 23  # Africa in km², metres, a year of 16-day revisits
    pixels = area * 1e6 / pixel**2 * dates * len(scene.BANDS)
    hours = pixels / rate / 3600
    cube = f"{pixel:.0f} m, {dates} dates, {len(scene.BANDS)} bands"
    say(f"Africa, {cube}: {pixels:.2g} band-pixels, at the job's rate {hours:,.0f} hours of this")
    say(f"  machine, or {hours / 168:,.0f} such machines for a week")


def main(words: Sequence[str] | None = None) -> None:
    """Run all of it; print it and, with --out, write it."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    ask.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    ask.add_argument("--side", type=int, default=4096, help="of the cube, in pixels")
    ask.add_argument("--block", type=int, default=512)
    ask.add_argument("--memory-blocks", type=int, default=2000)
    ask.add_argument("--memory-block", type=int, default=64)
    ask.add_argument("--execute", type=int, default=20_000, help="of the million blocks")
    ask.add_argument("--out", type=Path, help="text file, such as docs/scale.txt")
    asked = ask.parse_args(words)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    def part(name: str) -> bool:
        if name in asked.only:
            say(f"\n{name} (load {os.getloadavg()[0]:.1f})")
        return name in asked.only

    say(f"{os.cpu_count()} cores, torch {torch.__version__}, CPU")
    if not torch.cuda.is_available():
        say("no CUDA device: nothing here was measured on one")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if part("throughput"):
            projection(say, throughput(say, folder, asked.side, asked.block))
        if part("blocks"):
            sizes(say, folder, max(side for _, side, _ in BLOCKS), BLOCKS)
        if part("memory"):
            memory(say, folder, asked.memory_blocks, asked.memory_block)
        if part("million"):
            many(say, folder, asked.execute)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
