"""The fill job gives what the accessor gives, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import PlaneMean, TimeMean, WindowMean
from tests.io.cubes import chunks, source
from xinpaint.core.task import Fill, Task
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import JobError
from xinpaint.io import work
from xinpaint.io.jobspec import plan
from xinpaint.io.ledger import Ledger
from xinpaint.io.store import create
from xinpaint.methods.base import Filler

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
STORAGE = {"chunks", "preferred_chunks", "compressors", "filters", "serializer", "shards"}


@dataclass(frozen=True)
class LastDateBreaks(WindowMean):
    """Raises where it meets the last date."""

    last: float = 0.0

    def fill(self, task: Task) -> Fill:
        if task.days[-1] == self.last:
            raise ValueError("the last date")
        return super().fill(task)


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("job") / "cube.zarr"
    source(path)
    return path


def identical(job: Path, lazy: Path) -> None:
    """Variable by variable, bit for bit: values, dims, attrs, chunks and packing."""
    one = xr.open_zarr(job, decode_coords="all", chunks=None)
    other = xr.open_zarr(lazy, decode_coords="all", chunks=None)
    assert list(one.drop_vars("fill_status").variables) == list(other.variables)
    assert str(one.attrs) == str(other.attrs)
    for name, wanted in other.variables.items():
        found = one.variables[name]
        assert found.dims == wanted.dims
        assert str(found.attrs) == str(wanted.attrs)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found.values, wanted.values)
        left, right = ({k: str(v) for k, v in part.encoding.items()} for part in (found, wanted))
        assert {k: v for k, v in left.items() if k not in STORAGE} == {
            k: v for k, v in right.items() if k not in STORAGE
        }


@pytest.mark.parametrize(
    ("filler", "block"),
    [
        (WindowMean(5, pattern=50.0), (2, 72, 72)),
        (TimeMean(1), (2, 72, 72)),
        (TimeMean(None), (72, 72)),
        (PlaneMean(), None),
    ],
    ids=["window", "neighbour dates", "all dates", "plane"],
)
def test_as_the_accessor(src: Path, tmp_path: Path, filler, block) -> None:
    report = xinpaint.fill(src, tmp_path / "job.zarr", filler, block=block, progress=False)
    assert report.complete, report
    ds = xr.open_zarr(src, decode_coords="all", chunks={})
    lazy = inpaint(ds, filler, name=type(filler).__name__)
    for name in lazy.variables:
        lazy[name].encoding.pop("compressors", None)
        lazy[name].encoding.pop("filters", None)
    lazy.to_zarr(tmp_path / "lazy.zarr", zarr_format=3)
    identical(tmp_path / "job.zarr", tmp_path / "lazy.zarr")
    opened = xinpaint.open_filled(tmp_path / "job.zarr", strict=True)
    assert opened["red"].chunks == lazy["red"].chunks
    assert xinpaint.verify(tmp_path / "job.zarr", deep=True).ok


def test_again_does_nothing(src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dst = tmp_path / "job.zarr"
    first = xinpaint.fill(src, dst, "fillnodata", block=(3, 72, 72), progress=False)
    before = chunks(dst)
    again = xinpaint.fill(src, dst, "fillnodata", block=(3, 72, 72), progress=False)
    assert (first.done, again.done) == (9, 0)
    assert again.complete
    assert chunks(dst) == before


def test_other_settings_are_refused_by_name(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "job.zarr"
    xinpaint.fill(src, dst, WindowMean(5), block=72, progress=False)
    before = chunks(dst)
    with pytest.raises(JobError, match=r"block: \[3, 72, 72\] there, \[3, 144, 144\] now"):
        xinpaint.fill(src, dst, WindowMean(5), block=144, progress=False)
    with pytest.raises(JobError, match=r"method: 'WindowMean' there, 'TimeMean' now"):
        xinpaint.fill(src, dst, TimeMean(), block=72, progress=False)
    with pytest.raises(JobError, match="the filler, or what it holds"):
        xinpaint.fill(src, dst, WindowMean(6), block=72, progress=False)
    assert chunks(dst) == before


def test_places_that_are_refused(src: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    other.mkdir()
    (other / "precious").write_text("x")
    for dst, told in [
        (src, "choose another path"),
        (src / "inside.zarr", "outside of the source"),
        (src.parent, "outside of the source"),
        (other, "no output of a fill job"),
        ("ftp://host/filled.zarr", "over ftp:// a killed writer leaves half a file"),
    ]:
        with pytest.raises(JobError, match=told):
            xinpaint.fill(src, dst, WindowMean(5), progress=False)
    assert [p.name for p in other.iterdir()] == ["precious"]


def test_places_where_nothing_can_be_written(src: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("x")
    with pytest.raises(JobError, match=r"cannot write .*plain.txt.*choose another path"):
        xinpaint.fill(src, plain / "f.zarr", WindowMean(5), progress=False)
    assert plain.read_text() == "x"
    with pytest.raises(JobError, match=r"nowhere.zarr is no output .*nothing is there"):
        xinpaint.append(src, tmp_path / "nowhere.zarr")
    with pytest.raises(JobError, match=r"is no output .*'fill_status'"):
        xinpaint.append(src, src)


def test_blocks_without_gaps_or_data(tmp_path: Path) -> None:
    ds = source(tmp_path / "first.zarr", t=1, y=400, x=400)[["red"]].compute()
    ds["red"].values[:, :200, :200] = 7
    ds["red"].values[:, :, 200:] = 0
    ds = ds.chunk(time=1, y=100, x=100).drop_encoding()
    ds.to_zarr(tmp_path / "cube.zarr", zarr_format=3)
    report = xinpaint.fill(
        tmp_path / "cube.zarr", tmp_path / "f.zarr", WindowMean(5), block=100, progress=False
    )
    assert report.blocks == {"pending": 0, "filled": 4, "copied": 4, "empty": 8, "failed": 0}


def test_a_dry_run_writes_nothing(src: Path, tmp_path: Path) -> None:
    report = xinpaint.fill(src, tmp_path / "f.zarr", WindowMean(5), block=72, dry_run=True)
    assert report.blocks["pending"] == 9
    assert report.estimate["bytes"] > 3 * 150 * 170 * 20
    assert not list(tmp_path.iterdir())


def test_a_cube_of_one_array_without_time(src: Path, tmp_path: Path) -> None:
    ds = xr.open_zarr(src, decode_coords="all", chunks={}).isel(time=0, drop=True)
    bands = ds[["red", "nir"]].to_dataarray("band").to_dataset(name="data").drop_encoding()
    bands["data"].attrs["nodata"] = 0
    bands = bands.assign_coords(height=(("y", "x"), ds["relief"].data))
    bands.chunk(band=1, y=75, x=85).to_zarr(tmp_path / "cube.zarr", zarr_format=3)
    job, lazy = tmp_path / "job.zarr", tmp_path / "lazy.zarr"
    assert xinpaint.fill(tmp_path / "cube.zarr", job, WindowMean(5), block=(75, 85)).complete
    opened = xr.open_zarr(tmp_path / "cube.zarr", decode_coords="all", chunks={})
    inpaint(opened, WindowMean(5), name="WindowMean").to_zarr(lazy, zarr_format=3)
    identical(job, lazy)
    assert xinpaint.verify(job, deep=True).ok


def test_weights_travel_as_name_and_hash(tmp_path: Path) -> None:
    import torch

    from xinpaint.io.weights import save
    from xinpaint.nets.convnp import ConvNP

    numbers = {"spatial": {"widths": [8, 8, 8], "shared": [0, 8, 8]}, "width": 8, "deep": 8}

    def weights(seed: int) -> Path:
        torch.manual_seed(seed)
        given = {"name": "convnp", "numbers": numbers, "recipe": {}, "scores": {}}
        return save(tmp_path / "net.safetensors", ConvNP(**numbers), **given)

    source(tmp_path / "cube.zarr", t=2, y=96, x=96)
    job, lazy = tmp_path / "job.zarr", tmp_path / "lazy.zarr"
    given = {"weights": weights(0), "device": "cpu", "block": (2, 72, 72), "progress": False}
    assert xinpaint.fill(tmp_path / "cube.zarr", job, **given).complete
    opened = xr.open_zarr(tmp_path / "cube.zarr", decode_coords="all", chunks={})
    with pytest.warns(UserWarning, match="smaller than the method's halo of 144"):
        filled = opened.inpaint.convnp(weights=given["weights"], device="cpu")
    for name in filled.variables:
        filled[name].encoding = {}
    filled.to_zarr(lazy, zarr_format=3)
    one, other = (xr.open_zarr(path, decode_coords="all").compute() for path in (job, lazy))
    assert one.attrs == other.attrs
    assert (one["red_provenance"] == other["red_provenance"]).all()
    xr.testing.assert_allclose(one["ndvi_std"], other["ndvi_std"], rtol=1e-3)
    weights(1)
    with pytest.raises(JobError, match="weights: '"):
        xinpaint.fill(tmp_path / "cube.zarr", job, **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"workers": 0}, "workers=0: give a whole number of processes"),
        ({"block": 0}, r"found a block of 0 pixels; wanted its side"),
        ({"block": (1, 2, 3, 4)}, "wanted its side"),
        ({"method": "telea", "block": 72}, "looks along the whole of y"),
        ({"radius": 3}, r"options \['radius'\] belong to a method's name"),
    ],
)
def test_settings_that_make_no_sense(src: Path, tmp_path: Path, given, told: str) -> None:
    given = {"method": WindowMean(5), **given}
    with pytest.raises(JobError, match=told):
        xinpaint.fill(src, tmp_path / "f.zarr", progress=False, **given)


@pytest.mark.parametrize("version", [2, 3])
def test_a_source_without_consolidated_metadata_is_no_warning(tmp_path: Path, version: int) -> None:
    ds = source(tmp_path / "first.zarr", t=1, y=60, x=60)[["red"]].drop_encoding()
    ds.chunk(time=1, y=60, x=60).to_zarr(
        tmp_path / "cube.zarr", zarr_format=version, consolidated=False
    )
    # warnings are errors here
    dst = tmp_path / "filled.zarr"
    assert xinpaint.fill(tmp_path / "cube.zarr", dst, WindowMean(5), progress=False).complete


def test_dates_are_made_and_written_a_few_at_a_time(src: Path, tmp_path: Path) -> None:
    """Whole files each, so that a block of many dates holds the output of few."""

    def spans(filler: Filler, name: str, **options: Any) -> list[tuple[int, int]]:
        job, head, ready = plan(str(src), str(tmp_path / name), filler, {}, (3, 72, 72), **options)
        create(job, head, ready)
        parts = work.few_dates(job, work.read_block(job, (0, 1, 1)))
        names = [{name for piece in part.parts[0] for name in piece.names} for part in parts]
        assert ["relief" in found for found in names] == [True] + [False] * (len(parts) - 1)
        assert all("red" in found for found in names)
        return [part.tile.core[0] for part in parts]

    assert spans(WindowMean(5), "each") == [(0, 1), (1, 2), (2, 3)]
    assert spans(TimeMean(1), "near") == [(0, 1), (1, 2), (2, 3)]
    assert spans(TimeMean(None), "all") == [(0, 3)]  # would look at all dates for each of them
    assert spans(WindowMean(5), "shards", shards=True) == [(0, 3)]


def test_a_date_that_fails_fails_its_block(src: Path, tmp_path: Path) -> None:
    days = xr.open_zarr(src)["time"].values.astype("datetime64[ns]").astype(np.int64) / 864e11
    wrong = LastDateBreaks(5, last=float(days[-1]))
    report = xinpaint.fill(src, tmp_path / "f.zarr", wrong, block=(3, 72, 72), progress=False)
    assert report.blocks["failed"] == 9
    assert set(report.failures.values()) == {"ValueError: the last date"}


def test_a_job_keeps_the_threads_of_its_net(src: Path, tmp_path: Path) -> None:
    """Last bits depend on them: mended and resumed with the bytes it would have had."""
    import torch

    before, dst = torch.get_num_threads(), tmp_path / "f.zarr"
    try:
        torch.set_num_threads(1)
        xinpaint.fill(src, dst, "convnp", block=(3, 72, 72), device="cpu", progress=False)
        told = chunks(dst)
        assert Ledger(dst).attrs["job"]["threads"] == 1
        torch.set_num_threads(2)
        for file in sorted((dst / "red_std" / "c").rglob("*")):
            if file.is_file():
                file.unlink()
        assert xinpaint.verify(dst, deep=True, repair=True).ok
        assert chunks(dst) == told
        again = xinpaint.fill(
            src, dst, "convnp", block=(3, 72, 72), device="cpu", workers=2, progress=False
        )
        assert (again.done, again.complete) == (0, True)
    finally:
        torch.set_num_threads(before)
