"""Flags of stripes: the same whatever the chunks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from xinpaint.core import masks, qa
from xinpaint.io import flags
from xinpaint.io.grid import Grid


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
    whole = flags._stripes(da.from_array(planes, chunks=(1, -1, -1)), striped, 30.0).compute()
    assert (whole[0] & qa.FLAGS["slc_gap"]).any() and not (whole[1] & qa.FLAGS["slc_gap"]).any()
    cut = flags._stripes(da.from_array(planes, chunks=chunks), striped, 30.0)
    assert cut.chunks == da.from_array(planes, chunks=chunks).chunks
    np.testing.assert_array_equal(cut.compute(), whole)


def test_stripes_are_as_high_on_the_ground_whatever_the_pixels():
    stripes = masks.scan_lines((100, 100), seed=3, position=0.8, span=0.1)
    coarse = np.where(stripes, qa.FLAGS["fill"], 0).astype(np.uint16)
    fine = coarse.repeat(3, 0).repeat(3, 1)  # the same in pixels of 10 m
    for plane, height in ((coarse, 30.0), (fine, 10.0)):
        cut = da.from_array(plane[None], chunks=(1, 200, 200))
        made = flags._stripes(cut, (True,), height)[0].compute()
        gap = (made & qa.FLAGS["slc_gap"]) != 0
        assert gap[plane != 0].mean() > 0.9
        if height == 10.0:  # what is higher than a stripe of such pixels would be a cloud's fill
            whole = flags._stripes(da.from_array(plane[None]), (True,), 30.0)[0].compute()
            assert ((whole & qa.FLAGS["slc_gap"]) != 0)[plane != 0].mean() < 0.5
            one = flags._stripes(da.from_array(plane[None], chunks=-1), (True,), height)[0]
            np.testing.assert_array_equal(one.compute(), made)


@pytest.mark.parametrize(
    ("crs", "step", "metres"),
    [("EPSG:32618", 30.0, 30.0), ("EPSG:4326", 30 / 111_195, 30.0), ("EPSG:2263", 100.0, 30.48),
     ("", 15.0, 15.0)],
)  # fmt: skip
def test_a_pixel_is_measured_in_metres(crs, step, metres):
    assert Grid(crs, 0.0, 0.0, (step, step), (2, 2)).height == pytest.approx(metres, rel=1e-4)
