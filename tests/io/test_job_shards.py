"""A block as one shard: read in its chunks, written, checked and mended as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import chunks, flip, source
from xinpaint.errors import JobError
from xinpaint.io.shards import inner_chunks

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
BLOCK = (1, 72, 72)


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "cube.zarr"
    source(path, t=2, y=100, x=90)
    return path


def test_values_are_those_of_chunks(src: Path, tmp_path: Path) -> None:
    given = {"block": BLOCK, "progress": False}
    plain, sharded = tmp_path / "plain.zarr", tmp_path / "sharded.zarr"
    assert xinpaint.fill(src, plain, WindowMean(5), **given).complete
    assert xinpaint.fill(src, sharded, WindowMean(5), shards=24, **given).complete
    one, other = (xinpaint.open_filled(path, strict=True).compute() for path in (plain, sharded))
    xr.testing.assert_identical(one, other)
    array = zarr.open_array(sharded / "red", mode="r")
    assert (array.chunks, array.shards) == ((1, 24, 24), BLOCK)
    assert set(chunks(plain)) == set(chunks(sharded))
    before = chunks(sharded)
    assert xinpaint.fill(src, sharded, WindowMean(5), shards=24, **given).done == 0
    assert chunks(sharded) == before
    with pytest.raises(JobError, match=r"shards: \[1, 24, 24\] there, None now"):
        xinpaint.fill(src, sharded, WindowMean(5), shards=False, **given)
    assert xinpaint.fill(src, sharded, WindowMean(5), **given).done == 0  # those of the store


def test_flipped_bits_are_found_and_mended(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "filled.zarr"
    xinpaint.fill(src, dst, "fillnodata", block=(1, 100, 90), shards=(50, 45), progress=False)
    before = chunks(dst)
    rng = np.random.default_rng(0)
    keys = ("red/c/0/0/0", "nir_provenance/c/1/0/0")
    for key in keys:
        size = 8 * len(before[key])
        for bit in (*rng.integers(size, size=3), size - 5):  # the last one hits the index
            flip(dst / key, int(bit))
            found = xinpaint.verify(dst, deep=True)
            assert found.corrupted == (f"{key.split('/')[2]}/0/0",), (key, bit)
            (dst / key).write_bytes(before[key])
    for key in keys:
        flip(dst / key, 8 * len(before[key]) - 5)
    (dst / "ndvi/c/0/0/0").unlink()
    assert xinpaint.verify(dst).missing == ("0/0/0",)
    mended = xinpaint.verify(dst, deep=True, repair=True)
    assert mended.ok
    assert mended.repaired == 2
    assert chunks(dst) == before


def test_a_damaged_shard_at_the_edge_is_written_over(src: Path, tmp_path: Path) -> None:
    dst, given = tmp_path / "filled.zarr", {"block": BLOCK, "shards": 36, "progress": False}
    xinpaint.fill(src, dst, WindowMean(5), **given)
    before = chunks(dst)
    flip(dst / "red/c/1/1/1", 8 * len(before["red/c/1/1/1"]) - 5)
    with pytest.raises(JobError, match="pending again: 1 block,"):
        xinpaint.verify(dst, deep=True, repair=True)
    assert xinpaint.fill(src, dst, WindowMean(5), **given).done == 1
    assert chunks(dst) == before


def test_append_keeps_the_older_dates_of_a_shard(tmp_path: Path) -> None:
    source(tmp_path / "all.zarr", t=3, y=60, x=60)
    ds = xr.open_zarr(tmp_path / "all.zarr", decode_coords="all", chunks={})
    for dates in (2, 3):
        part = ds.isel(time=slice(0, dates)).drop_encoding().chunk(time=1, y=60, x=60)
        part.to_zarr(tmp_path / f"{dates}.zarr", zarr_format=2, consolidated=True)
    dst, whole = tmp_path / "filled.zarr", tmp_path / "whole.zarr"
    given = {"block": (2, 60, 60), "shards": (1, 30, 30), "progress": False}
    other = given | {"block": (3, 60, 60), "shards": (2, 30, 30)}
    with pytest.raises(JobError, match="along t 3 is no whole number of chunks of 2"):
        xinpaint.fill(tmp_path / "3.zarr", dst, WindowMean(5), **other)
    xinpaint.fill(tmp_path / "2.zarr", dst, WindowMean(5), **given)
    assert xinpaint.append(tmp_path / "3.zarr", dst, WindowMean(5), progress=False).complete
    xinpaint.fill(tmp_path / "3.zarr", whole, WindowMean(5), **given)
    assert chunks(dst) == chunks(whole)
    assert xinpaint.verify(dst, deep=True).ok


@pytest.mark.parametrize(
    ("block", "own", "asked", "found"),
    [
        ((1, 512, 512), (1, 256, 256), True, (1, 256, 256)),
        ((8, 1024, 1024), (3, 1024, 999), True, (1, 1024, 256)),
        ((8, 512, 512), (1, 256, 256), 128, (1, 128, 128)),
        ((8, 512, 700), (1, 256, 256), (4, 128, 256), (4, 128, 256)),
        ((8, 512, 512), (1, 256, 256), None, None),
        ((8, 512, 512), (1, 256, 256), False, None),
    ],
)
def test_chunks_of_a_shard(block, own, asked, found) -> None:
    assert inner_chunks(block, (100, 2000, 700), own, asked) == found


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (100, "along y 512 is no whole number of chunks of 100"),
        ((3, 128, 128), "along t 8 is no whole number of chunks of 3"),
        ((1, 2, 3, 4), "wanted a side"),
        ((0, 8), "wanted a side"),
    ],
)
def test_chunks_that_do_not_fit(asked, told: str) -> None:
    with pytest.raises(JobError, match=told):
        inner_chunks((8, 512, 512), (100, 2000, 2000), (1, 256, 256), asked)
