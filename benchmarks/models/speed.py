"""How fast each method is on one thread, all in one run."""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.speed import scene
from xinpaint.methods.base import Filler


def throughput(fillers: Mapping[str, Filler], side: int = 256, repeat: int = 3) -> dict[str, float]:
    """Million band-pixels a second of processor time, the best of some fills of one image."""
    import cv2
    import torch

    task, small = scene.task(side), scene.task(32)
    threads, others = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = {}
    try:
        for name, filler in fillers.items():
            filler.fill(small)
            seconds = []
            for _ in range(repeat):
                start = time.process_time()
                filler.fill(task)
                seconds.append(time.process_time() - start)
            found[name] = task.values.size / 1e6 / max(min(seconds), 1e-9)
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(others)
    return found
