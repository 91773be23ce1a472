"""Flags of stripes: the same whatever the chunks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from xinpaint.core import masks, qa
from xinpaint.io import flags


def fill(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Thin stripes near nadir, clouds that are missing too, lone pixels: hard to tell apart."""
    rng = np.random.default_rng(seed)
    gap = masks.scan_lines(shape, seed=seed, position=0.15, span=0.25)
    gap |= masks.clouds(shape, seed=seed, fraction=0.05) | (rng.random(shape) < 0.01)
    return np.where(gap, qa.FLAGS["fill"], 0).astype(np.uint16)


@pytest.mark.parametrize("chunks", [(1, 70, 90), (2, 33, 41), (1, 200, 150), (1, 210, 64)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_stripes_do_not_depend_on_chunks(chunks, seed):
    planes = np.stack([fill((210, 260), seed), fill((210, 260), seed + 9)])
    striped = (True, False)
    whole = flags._stripes(da.from_array(planes, chunks=(1, -1, -1)), striped).compute()
    assert (whole[0] & qa.FLAGS["slc_gap"]).any() and not (whole[1] & qa.FLAGS["slc_gap"]).any()
    cut = flags._stripes(da.from_array(planes, chunks=chunks), striped)
    assert cut.chunks == da.from_array(planes, chunks=chunks).chunks
    np.testing.assert_array_equal(cut.compute(), whole)
