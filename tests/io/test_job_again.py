"""Fill jobs one after another: another source, another place, another user's slip."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.io.cubes import chunks
from xinpaint.cli import main
from xinpaint.errors import DataError, JobError, MethodError
from xinpaint.io.verify import status

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]


def cube(path: Path, *, seed: int = 0, side: int = 32) -> Path:
    """A small float cube; seeds share grid and metadata."""
    ds = make(2, 64, 64, seed=seed, dtype="float32")
    ds.chunk(time=1, y=side, x=side).to_zarr(path, mode="w", zarr_format=2, consolidated=True)
    return path


def fill(src: Path, dst: Path, **options: Any) -> xr.Dataset:
    """The filled cube, in memory."""
    options = {"method": "fillnodata", "block": (1, 32, 32), "progress": False, **options}
    assert xinpaint.fill(src, dst, **options).complete
    return xinpaint.open_filled(dst, strict=True).compute()


def test_another_source_to_the_same_place(tmp_path: Path) -> None:
    one, other = cube(tmp_path / "a.zarr"), cube(tmp_path / "b.zarr", seed=1)
    fill(one, tmp_path / "out.zarr")
    shutil.rmtree(tmp_path / "out.zarr")
    again = fill(other, tmp_path / "out.zarr")
    xr.testing.assert_identical(again, fill(other, tmp_path / "fresh.zarr"))


def test_the_source_written_anew(tmp_path: Path) -> None:
    place = cube(tmp_path / "a.zarr")
    fill(place, tmp_path / "out.zarr")
    shutil.rmtree(tmp_path / "out.zarr")
    shutil.rmtree(place)
    cube(place, seed=1, side=16)
    again = fill(place, tmp_path / "out.zarr")
    other = cube(tmp_path / "b.zarr", seed=1, side=16)
    xr.testing.assert_identical(again, fill(other, tmp_path / "fresh.zarr"))


def test_a_source_that_moved_is_told_and_noted(tmp_path: Path) -> None:
    one, other = cube(tmp_path / "a.zarr"), cube(tmp_path / "b.zarr")
    dst = tmp_path / "out.zarr"
    fill(one, dst)
    shutil.rmtree(one)
    before = chunks(dst)
    with pytest.warns(UserWarning, match=r"begun from .*a\.zarr and goes on from .*b\.zarr"):
        fill(other, dst)
    (dst / "red/c/0/0/0").unlink()
    assert xinpaint.verify(dst, repair=True).ok
    assert chunks(dst) == before


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst, max_distance=np.int64(20))
    before = chunks(dst)
    (dst / "red/c/0/0/0").unlink()
    assert xinpaint.verify(dst, repair=True).ok
    assert chunks(dst) == before
    fill(src, dst, max_distance=20)


@pytest.mark.parametrize(
    "given",
    [
        {"workers": 0},
        {"workers": 1.5},
        {"workers": "2"},
        {"workers": True},
        {"client": "tcp://127.0.0.1:8786"},
        {"client": SimpleNamespace(submit=0, nthreads=0, status="closed")},
    ],
    ids=str,
)
def test_where_to_run_is_checked_first(tmp_path: Path, given: dict[str, Any]) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    with pytest.raises(JobError, match=r"workers=|client="):
        xinpaint.fill(src, dst, "fillnodata", progress=False, **given)
    assert not dst.exists()


def test_a_dry_run_knows_the_store(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst)
    with pytest.raises(JobError, match=r"Different: .*options"):
        fill(src, dst, max_distance=3, dry_run=True)


def test_repair_first_knows_that_it_can(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst)
    (dst / "red/c/0/0/0").unlink()
    src.rename(tmp_path / "away.zarr")
    with pytest.raises(DataError, match="is not there"):
        xinpaint.verify(dst, repair=True)
    assert not status(dst).blocks["pending"]
    (tmp_path / "away.zarr").rename(src)
    assert xinpaint.verify(dst, repair=True).ok


def test_options_of_the_command_are_no_options_of_a_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    for option in ("workers=2", "storage_options={}", "progress=false"):
        assert main(["fill", str(src), str(dst), "--option", option]) == 2
        assert "is no option of a method" in capsys.readouterr().err
    assert not dst.exists()


LOSSES = ["red", "red/zarr.json", "x", "x/c", "time/c", "spatial_ref", "red_std", "zarr.json"]


@pytest.mark.parametrize("how", ["gone", "cut"])
@pytest.mark.parametrize("what", LOSSES)
def test_lost_arrays_are_found_and_mended(tmp_path: Path, what: str, how: str) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    whole = fill(src, dst, method="regression")
    before = chunks(dst)
    _lose(dst / what, how)
    found = xinpaint.verify(dst, deep=how == "cut")
    name = what.partition("/")[0]
    assert name in {*found.missing, *found.corrupted}, found
    assert not found.ok
    mended = xinpaint.verify(dst, repair=True, deep=how == "cut")
    assert mended.ok, mended
    assert mended.repaired
    assert xinpaint.verify(dst, deep=True).ok
    assert chunks(dst) == before
    xr.testing.assert_identical(xinpaint.open_filled(dst, strict=True).compute(), whole)


def _lose(place: Path, how: str) -> None:
    """Remove a file or folder, or cut each file of it short."""
    if how == "gone":
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        return
    for file in [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]:
        file.write_bytes(file.read_bytes()[:20])


def test_the_same_fill_mends_lost_arrays_of_an_own_filler(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    given: dict[str, Any] = {"method": WindowMean(5)}
    whole = fill(src, dst, **given)
    shutil.rmtree(dst / "red")
    (dst / "x/c/0").unlink()
    with pytest.raises(JobError, match=r"pending again.*lay out \['red', 'x'\]"):
        xinpaint.verify(dst, repair=True)
    xr.testing.assert_identical(fill(src, dst, **given), whole)


def test_a_status_without_metadata_is_said(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst)
    _lose(dst / "fill_status/zarr.json", "cut")
    for ask in (xinpaint.verify, xinpaint.open_filled, status):
        with pytest.raises(JobError, match=r"metadata of .*fill_status is damaged"):
            ask(dst)


def test_a_store_without_metadata_is_said(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst)
    _lose(dst / "zarr.json", "cut")
    with pytest.raises(JobError, match=r"verify\(.*repair=True\)"):
        xinpaint.open_filled(dst)


def test_a_store_of_an_earlier_version_is_verified(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    fill(src, dst)
    file = dst / "fill_status/zarr.json"
    said = json.loads(file.read_bytes())
    assert said["attributes"].pop("arrays")
    file.write_text(json.dumps(said))
    assert xinpaint.verify(dst, deep=True).ok
    (dst / "x/c/0").write_bytes(b"x")
    assert xinpaint.verify(dst, deep=True, repair=True).ok
    assert xinpaint.verify(dst, deep=True).ok


@pytest.mark.parametrize("kind", ["int16", "packed", "float32"])
def test_what_is_not_done_reads_as_missing(tmp_path: Path, kind: str) -> None:
    ds = make(1, 64, 64, dtype="float32" if kind == "float32" else "uint16")
    if kind == "int16":
        ds = ds.map(lambda a: a.where(a != 0, -9999).astype("int16"))
        for array in ds.data_vars.values():
            array.attrs["nodata"] = -9999
    if kind == "packed":
        ds = ds.map(lambda a: (a.where(a != 0) * 2.75e-5 - 0.2).drop_attrs())
        packed = {"dtype": "uint16", "scale_factor": 2.75e-5, "add_offset": -0.2}
        for array in ds.data_vars.values():
            array.encoding = {**packed, "_FillValue": 65535}
    src, dst = tmp_path / "a.zarr", tmp_path / "out.zarr"
    ds.chunk(time=1, y=32, x=32).to_zarr(src, zarr_format=2, consolidated=True)
    (src / "red/0.0.0").write_bytes(b"junk")
    report = xinpaint.fill(
        src, dst, "fillnodata", block=(1, 32, 32), max_distance=4, progress=False
    )
    assert report.blocks["failed"]
    got = xr.open_zarr(dst, decode_coords="all").isel(time=0, y=slice(8), x=slice(8)).compute()
    for band in ("red", "nir"):
        there = got[band].values
        assert (there == -9999).all() if kind == "int16" else np.isnan(there).all(), band
        assert (got[f"{band}_provenance"] == 0).all()


def test_what_a_dead_driver_of_the_same_number_left(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "o[1].zarr"
    for name in (f".{dst.name}.{os.getpid()}.partial", f".{dst.name}.{os.getpid()}-0.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    fill(src, dst)
    assert not list(tmp_path.glob(".*partial"))


def test_a_repository_in_memory_is_refused(tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk")
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    with pytest.raises(JobError, match="is in memory"):
        xinpaint.fill(cube(tmp_path / "a.zarr"), repository, "fillnodata", progress=False)


def test_score_takes_a_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    src = cube(tmp_path / "a.zarr")
    assert main(["score", f"file://{src}", "--methods", "fillnodata"]) == 0
    assert "fillnodata" in capsys.readouterr().out


def test_failed_blocks_are_said_to_be_tried_again_by_what(tmp_path: Path) -> None:
    src = cube(tmp_path / "a.zarr")
    (src / "red/0.0.0").write_bytes(b"junk")
    given: dict[str, Any] = {"block": (1, 32, 32), "max_distance": 4, "progress": False}
    report = xinpaint.fill(src, tmp_path / "out.zarr", "fillnodata", **given)
    assert "--retry-failed" in str(report)


@dataclass(frozen=True)
class Holds(WindowMean):
    """What it holds travels, or not."""

    held: Any = None


def test_an_own_filler_that_is_none_is_refused(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    no_halo = SimpleNamespace(fill=len, halo=(0, 5, 5))
    for method in (WindowMean, len, None, no_halo):
        with pytest.raises(MethodError, match="is no filler"):
            xinpaint.fill(src, dst, method, progress=False)  # type: ignore[arg-type]
    with pytest.raises(JobError, match="cannot be sent to another process"):
        xinpaint.fill(src, dst, Holds(held=threading.Lock()), workers=1, progress=False)
    assert not dst.exists()


@pytest.mark.parametrize("block", [64.0, "64", True, (1, 32.0, 32), {32}], ids=str)
def test_a_block_that_is_none_is_refused(tmp_path: Path, block: Any) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    with pytest.raises(JobError, match="found a block of"):
        xinpaint.fill(src, dst, "fillnodata", block=block, progress=False)
    assert not dst.exists()
    fill(src, dst, block=[np.int64(1), 32, 32])


def test_another_grid_is_said_in_words(tmp_path: Path) -> None:
    one, other = cube(tmp_path / "a.zarr"), tmp_path / "b.zarr"
    fill(one, tmp_path / "out.zarr")
    ds = xr.open_zarr(one, decode_coords="all")
    ds.assign_coords(x=ds.x + 30).to_zarr(other, zarr_format=2, consolidated=True)
    with pytest.raises(JobError, match=r"Different: the coordinates of the source$"):
        fill(other, tmp_path / "out.zarr")
