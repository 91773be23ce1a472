"""asv: what ``import xinpaint`` costs beyond ``import xarray``."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

_CODE = """
import time
import xarray
start = time.perf_counter()
import xinpaint
print(time.perf_counter() - start)
"""


class Import:
    """A fresh process each time."""

    unit = "s"
    repeat = 5

    def track_import(self) -> float:
        return median(self._once() for _ in range(self.repeat))

    def _once(self) -> float:
        run = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True)
        return float(run.stdout)
