"""Gap masks, for those who score and train: simulated, cut from real scenes, kept and transplanted.

A mask is bool ``[y x]``, true where a pixel is missing; a bank of them ``[n y x]``.
"""

from __future__ import annotations

from xinpaint.core.masks import (
    between,
    clouds,
    scan_lines,
    surrounded,
    transplant,
    widened,
)
from xinpaint.core.stripes import slc_gaps
from xinpaint.cube.gaps import from_scene
from xinpaint.io.banks import load_bank, save_bank

__all__ = [
    "between",
    "clouds",
    "from_scene",
    "load_bank",
    "save_bank",
    "scan_lines",
    "slc_gaps",
    "surrounded",
    "transplant",
    "widened",
]
