"""Throughput, memory, sizes of blocks and a million blocks of the fill job, as text."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

import xinpaint
from benchmarks.scale import bare, cubes, curve, million, watch
from benchmarks.speed import scene

Say = Callable[[str], None]
WORKERS = 2
#: Blocks of the curve: dates, rows, columns.
BLOCKS = (
    *((1, side, side) for side in (128, 256, 512, 1024)),
    (8, 512, 512),
    (4, 1024, 1024),
)
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
    first = bare.processes(side, block, places[::2], WORKERS)
    with watch.Workers() as seen:
        report = xinpaint.fill(
            *(folder / "cube.zarr", folder / "filled.zarr", "convnp"),
            device="cpu",
            block=block,
            workers=WORKERS,
            progress=False,
        )
    assert report.complete, report
    last = bare.processes(side, block, places[1::2], WORKERS)
    alone, alone_spent = (a + b for a, b in zip(first, last, strict=True))
    skip = 2 * WORKERS
    times = watch.moments(folder / "filled.zarr", scene.BANDS[0])
    rate = watch.steady(times, skip)
    spent = seen.spent_until(times[-1]) - seen.spent_until(times[skip - 1])
    each, each_alone = spent / (count - skip), alone_spent / count
    missing = f"{len(scene.BANDS)} bands, {scene.gap(side).mean():.0%} missing"
    say(f"{count} blocks of {block}², {missing}; the job from its block {skip + 1} on, when its")
    say("  workers have started; the net on the same tiles, half before and half after the job")
    say(f"  {WORKERS} processes   Mband-pixel/s   s of processor a block")
    for name, one, other in (
        ("bare net", pixels * count / alone, each_alone),
        ("the job", pixels * rate, each),
    ):
        say(f"  {name:12} {one / 1e6:14.3f} {other:24.2f}")
    say(f"  job / net    {rate * alone / count:14.1%} {each_alone / each:24.1%}   (wanted: 85 %)")
    say("  another load on the machine disturbs the first column, hardly the second")
    say(f"  the whole call took {report.seconds:.1f} s, starting the workers included")
    return pixels * rate


def sizes(say: Say, folder: Path, side: int, blocks: Sequence[tuple[int, int, int]]) -> None:
    """What blocks of several sizes cost one process."""
    middle = {d: max(tall for dates, tall, _ in blocks if dates == d) for d, _, _ in blocks}
    middle[1] = side
    for dates, wide in middle.items():
        cubes.write(folder / f"{dates}.zarr", 3 * wide, curve.TILE, dates=dates)
    say(f"one process of one thread; source in chunks of {curve.TILE}²; processor time; memory:")
    say("  the block with its halo; the process with one tile in the bare net, with blocks; what")
    say("  the job adds, in blocks with their halo (wanted: at most 4)")
    say("  block      Mband-pixel/s   net  read write other | block MB   net MB   job MB  added")
    hours = {}
    for dates, tall, wide in blocks:
        dst = folder / f"filled-{dates}-{tall}.zarr"
        made = curve.apart(folder / f"{dates}.zarr", dst, (dates, tall, wide), middle[dates])
        whole = sum(made[part] for part in curve.PARTS)
        parts = [made[p] / whole for p in ("net", "read", "write", "tasks and compose")]
        shares = " ".join(f"{part:5.1%}" for part in parts)
        added = made["job"] - made["alone"]
        held = " ".join(f"{made[name] / 1e6:8.1f}" for name in ("block", "alone", "job"))
        rate = f"{made['pixels'] / whole / 1e6:13.3f}"
        hours[f"{dates}×{tall}²"] = continent()[0] / made["pixels"] * whole / 3600
        say(f"  {f'{dates}×{tall}²':9} {rate}   {shares} | {held} {added / made['block']:6.1f}")
    told = ", ".join(f"{count:,.0f} in blocks of {name}" for name, count in hours.items())
    say(f"{continent()[1]}, if every block has gaps;")
    say(f"  core-hours: {told}")


def memory(say: Say, folder: Path, blocks: int, block: int) -> None:
    """Resident bytes of the workers over many blocks."""
    dates = -(-blocks // 16)
    cubes.write(folder / "many.zarr", 4 * block, block, dates=dates, bands=1)
    with watch.Workers() as seen:
        report = xinpaint.fill(
            *(folder / "many.zarr", folder / "many-filled.zarr", "convnp"),
            device="cpu",
            context="space",
            block=(1, block, block),
            workers=WORKERS,
            progress=False,
        )
    assert report.complete, report
    steady = seen.memory[len(seen.memory) // 10 :]
    half = len(steady) // 2
    first, last = (statistics.median(part) / 1e6 for part in (steady[:half], steady[half:]))
    count = sum(report.blocks.values())
    say(f"{count} blocks of one band of {block}² in {WORKERS} processes: the larger worker holds")
    say(f"  {first:.0f} MB in the first half, {last:.0f} MB in the second (medians), at the most")
    say(f"  {max(steady) / 1e6:.0f} MB")


def many(say: Say, folder: Path, execute: int) -> None:
    """A million blocks, of which some are executed; and 10,000 as one lazy graph."""
    for name in ("written", "executed"):
        (folder / name).mkdir()
    took = million.written_down(folder / "written")
    told = ", ".join(f"{took[name]:.3f} s to {name}" for name in ("plan", "lay out"))
    status = f"{took['scan']:.3f} s to read (wanted: 1), {took['flush']:.3f} s to write (0.1)"
    say(f"a million blocks: {told};")
    say(f"  their status {status};")
    say(f"  driver {1000 * took['drive']:.3f} ms a block with nothing to compute")
    made = million.executed(folder / "executed", execute)
    say(f"{execute:,} of them executed on a dask cluster, nothing to compute: driver")
    say(f"  {1000 * made['driver']:.2f} ms of processor time a block (wanted: 10), with client and")
    say(f"  scheduler {1000 * made['process']:.2f} ms; these grew by {made['growth'] / 1e6:.1f} MB")
    say("  (wanted: 20)")
    seconds, size = million.lazily(folder)
    say(f"10,000 blocks as one lazy graph: {seconds:.1f} s (wanted: 30), {size / 1e6:.0f} MB (700)")


def continent() -> tuple[float, str]:
    """Band-pixels of Africa in a year, and what they are in words."""
    area, pixel, dates = 30.4e6, 30.0, 23  # Africa in km², metres, a year of 16-day revisits
    pixels = area * 1e6 / pixel**2 * dates * len(scene.BANDS)
    cube = f"{pixel:.0f} m, {dates} dates, {len(scene.BANDS)} bands"
    return pixels, f"Africa, {cube}: {pixels:.2g} band-pixels"


def projection(say: Say, rate: float) -> None:
    """What the measured rate means for a continent, if every block of it has gaps."""
    pixels, named = continent()
    hours = pixels / rate / 3600
    say(f"{named}, at the job's rate {hours:,.0f} hours of this")
    say(f"  machine, or {hours / 168:,.0f} such machines for a week")


def main(words: Sequence[str] | None = None) -> None:
    """Run all of it; print it and, with --out, write it."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    ask.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    ask.add_argument("--side", type=int, default=3072, help="of the cube, in pixels")
    ask.add_argument("--block", type=int, default=512)
    ask.add_argument("--memory-blocks", type=int, default=2000)
    ask.add_argument("--memory-block", type=int, default=64)
    ask.add_argument("--execute", type=int, default=20_000, help="of the million blocks")
    ask.add_argument("--out", type=Path, help="text file; parts left out stay in it")
    asked = ask.parse_args(words)
    parts: dict[str, list[str]] = {}

    def say(line: str) -> None:
        list(parts.values())[-1].append(line)
        print(line, flush=True)

    def begin(name: str) -> bool:
        if name in asked.only:
            parts[name] = []
            here = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
            device = "a CUDA device unused" if torch.cuda.is_available() else "no CUDA device"
            say(f"[{name}] {here}, torch {torch.__version__} on the CPU, {device}")
        return name in asked.only

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if begin("throughput"):
            projection(say, throughput(say, folder, asked.side, asked.block))
        if begin("blocks"):
            sizes(say, folder, max(side for _, side, _ in BLOCKS), BLOCKS)
        if begin("memory"):
            memory(say, folder, asked.memory_blocks, asked.memory_block)
        if begin("million"):
            many(say, folder, asked.execute)
    if asked.out:
        keep(asked.out, parts)


def keep(out: Path, parts: Mapping[str, list[str]]) -> None:
    """Write the parts that ran; those of an earlier run that did not run again stay."""
    old = out.read_text().strip().split("\n\n") if out.exists() else []
    told = {text[1 : text.index("]")]: text for text in old}
    told |= {name: "\n".join(lines) for name, lines in parts.items()}
    out.write_text("\n\n".join(told[name] for name in PARTS if name in told) + "\n")


if __name__ == "__main__":
    main()
