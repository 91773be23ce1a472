"""What the size of a block costs: processor time and memory, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.scale import cubes, watch
from benchmarks.speed import scene
from xinpaint.io.engine import begin

#: Pixels along a side of the tiles that a block is computed in, and of their halo on both sides.
TILE = 512
LAPS = ("read", "tasks and compose", "write")
PARTS = ("read", "net", "tasks and compose", "write")


class Timed:
    """A filler with a watch."""

    has_std = True

    def __init__(self, inner: Any) -> None:
        self.inner, self.seconds = inner, 0.0

    @property
    def halo(self) -> Any:
        """How far it looks."""
        return self.inner.halo

    def fill(self, task: Any) -> Any:
        """Fill, and note how long that took."""
        begun = time.process_time()
        made = self.inner.fill(task)
        self.seconds += time.process_time() - begun
        return made


def apart(src: Path, dst: Path, block: tuple[int, int, int], side: int) -> Mapping[str, float]:
    """`measured` in a fresh worker of one thread."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=begin, initargs=(1,)) as pool:
        return pool.submit(measured, src, dst, block, side).result()


def measured(src: Path, dst: Path, block: tuple[int, int, int], side: int) -> Mapping[str, float]:
    """Fill the middle `side` pixels of a cube of three times as many, all of its dates.

    Returns
    -------
    mapping
        Processor seconds by part; ``blocks``; ``pixels`` (of all bands); in bytes ``block`` (with
        its halo), ``alone`` (the process at its highest with one tile in the bare net) and ``job``
        (at its highest with blocks).
    """
    import torch

    from xinpaint.io import work
    from xinpaint.io.jobspec import plan
    from xinpaint.io.store import create
    from xinpaint.io.weights import filler

    torch.set_num_threads(1)
    timed = Timed(filler("convnp", device="cpu", context="space"))
    job, head, ready = plan(str(src), str(dst), timed, {}, block)
    create(job, head, ready)
    tile = cubes.tile(3 * TILE, min(TILE, block[1]), 1, 1)
    for _ in range(3):  # the first call sets things up
        work.give_back()  # as before every block of a job
        watch.forget_highest()
        timed.fill(tile)
    told = {"alone": float(watch.highest())}
    first, last = side // block[1], 2 * side // block[1]
    places = [(0, y, x) for y in range(first, last) for x in range(first, last)]
    watch.forget_highest()
    spent = dict.fromkeys(PARTS, 0.0)
    for number, index in enumerate([places[0], *places]):
        if number == 1:  # as above
            spent, timed.seconds = dict.fromkeys(PARTS, 0.0), 0.0
        begun = time.process_time()
        read = work.read_block(job, index)
        for part in work.few_dates(job, read):
            laps = [begun, time.process_time()]
            filled = work.fill_block(job, part)
            laps.append(time.process_time())
            outcome = work.write_block(job, index, filled)
            laps.append(begun := time.process_time())
            assert not outcome.cause, outcome
            for name, one, other in zip(LAPS, laps[:-1], laps[1:], strict=True):
                spent[name] += other - one
            del filled  # as in a job, which holds few dates at a time
        del read, part
    spent["net"] = timed.seconds
    spent["tasks and compose"] -= timed.seconds
    pixels = len(scene.BANDS) * job.shape[0] * side**2
    size = 2 * len(scene.BANDS) * block[0] * (block[1] + 2 * cubes.HALO) ** 2
    known = {"blocks": len(places), "pixels": pixels, "block": size, "job": watch.highest()}
    return {**spent, **told, **{name: float(value) for name, value in known.items()}}
