"""The net alone, on tiles that wait in memory, in as many processes as the job."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.scale import cubes


def seconds(
    side: int, block: int, tiles: list[tuple[int, int]], threads: int
) -> tuple[float, float]:
    """Seconds of the net for some tiles, by the wall's clock and of the processor.

    Nothing is read, composed or written.
    """
    import torch

    from xinpaint.io.weights import find
    from xinpaint.methods.aligned import aligned

    torch.set_num_threads(threads)
    net: Any = find().net("cpu")
    taken, spent = 0.0, 0.0
    for number, (row, column) in enumerate([tiles[0], *tiles]):
        given = aligned(cubes.tile(side, block, row, column), [0], net.stride)
        tensors = [torch.from_numpy(part) for part in given]
        begun = (time.perf_counter(), time.process_time())
        with torch.inference_mode():
            net(*tensors)
        if number:  # the first call sets things up
            taken += time.perf_counter() - begun[0]
            spent += time.process_time() - begun[1]
    return taken, spent


def processes(
    side: int, block: int, places: list[tuple[int, int]], count: int
) -> tuple[float, float]:
    """What `count` processes need for some blocks (row, column).

    Seconds of the slowest by the wall's clock, and of the processor in all.
    """
    shares = [places[k::count] for k in range(count)]
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=spawn) as pool:
        runs = [pool.submit(seconds, side, block, share, threads) for share in shares]
        taken, spent = zip(*(run.result() for run in runs), strict=True)
        return max(taken), sum(spent)
