"""Classes of water through the fill job: as the accessor tells them, and after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.ponds import YEAR, cube, states
from tests.io.cubes import chunks
from xinpaint.errors import DataError, JobError, MethodError, SchemaError
from xinpaint.io.ledger import Ledger

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
GIVEN: dict[str, Any] = {"scale": 1e-4, "device": "cpu", "block": 55, "progress": False}


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seasons") / "cube.zarr"
    extent = states(4, 110, 130)
    extent[:, :20, :70] = 255  # nothing was seen
    made = cube(extent, YEAR[:4], ("red", "nir", "swir1", "green"))
    made.chunk(time=2, y=50, x=60).to_zarr(path, zarr_format=2, consolidated=True)
    return path


@pytest.fixture(scope="module")
def whole(src: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    dst = tmp_path_factory.mktemp("whole") / "water.zarr"
    assert xinpaint.fill(src, dst, "seasonality", **GIVEN).complete
    return dst


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    """As two ways to cut the same cube may differ."""
    np.testing.assert_allclose(one.probability, other.probability, atol=1e-4)
    two = np.sort(other.probability.fillna(0), axis=0)
    close = two[-1] - two[-2] < 1e-4
    assert ((one.seasonality == other.seasonality) | close).all()
    assert (one.months_seen == other.months_seen).all()


def test_the_same_as_the_accessor(src: Path, whole: Path) -> None:
    made = xinpaint.open_filled(whole, strict=True).compute()
    ds = xr.open_zarr(src, decode_coords="all").compute()
    wanted = ds.water.seasonality(scale=1e-4, device="cpu")
    same(made, wanted)
    assert set(made.variables) == set(wanted.variables)
    assert (made.time == wanted.time).all() and made.spatial_ref.attrs == ds.spatial_ref.attrs
    assert made.seasonality.dtype == made.months_seen.dtype == np.uint8
    assert made.probability.dtype == np.float32
    for name in ("seasonality", "probability", "months_seen"):
        told, said = (d[name].attrs | d[name].encoding for d in (made, wanted))
        assert said.keys() <= told.keys()
        assert all(np.array_equal(told[key], said[key]) for key in said)
    assert (made.seasonality[:, :20, :70] == 255).all()
    assert (made.seasonality != 255).any()
    assert made.attrs["title"] == "ponds"


@pytest.mark.parametrize("nodata", ["nodata", "_FillValue"])
def test_integers_without_a_scale_are_refused_before_anything_is_there(
    tmp_path: Path, nodata: str
) -> None:
    ds = cube(states(4, 60, 60), YEAR[:4], ("red", "nir", "swir1"))
    for band in ds.data_vars.values():
        band.attrs = {nodata: -9999}
    ds.to_zarr(tmp_path / "cube.zarr", consolidated=False)
    with pytest.raises(SchemaError, match=r"integers without scale_factor: pass scale= and offset"):
        xinpaint.fill(tmp_path / "cube.zarr", tmp_path / "out.zarr", "seasonality", device="cpu")
    assert not (tmp_path / "out.zarr").exists()


def test_proved_and_mended(src: Path, whole: Path) -> None:
    assert xinpaint.verify(whole, deep=True).ok
    before = chunks(whole)
    (whole / "probability" / "c" / "0" / "0" / "1" / "2").unlink()
    assert xinpaint.verify(whole, repair=True).missing == ("0/1/2",)
    assert chunks(whole) == before
    assert xinpaint.fill(src, whole, "seasonality", **GIVEN).done == 0


SCRIPT = """
import sys, time, xinpaint
from xinpaint.io import drive
drive.FLUSH_BLOCKS = 1
note = drive.Driver._note
def slow(*given):
    note(*given)
    time.sleep(1)
drive.Driver._note = slow
xinpaint.fill(sys.argv[1], sys.argv[2], "seasonality", **GIVEN)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_and_resumed(src: Path, tmp_path: Path, whole: Path) -> None:
    dst = tmp_path / "water.zarr"
    code = SCRIPT.replace("GIVEN", repr(GIVEN))
    words = [sys.executable, "-c", code, str(src), str(dst)]
    driver = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    while driver.poll() is None and (not dst.exists() or Ledger(dst).counts()["filled"] < 2):
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    ledger = Ledger(dst)
    assert 2 <= ledger.counts()["filled"] < ledger.status.size == 6
    there, wanted = chunks(dst), chunks(whole)
    for _, y, x in np.argwhere(ledger.status == 1):
        for key in (f"seasonality/c/0/{y}/{x}", f"probability/c/0/0/{y}/{x}"):
            assert there[key] == wanted[key]
    with pytest.warns(UserWarning, match="unfinished"):
        part = xinpaint.open_filled(dst)
    for _, y, x in np.argwhere(ledger.status == 0):
        if f"seasonality/c/0/{y}/{x}" not in there:  # not land: nobody knows
            spot = {"y": slice(55 * y, 55 * y + 55), "x": slice(55 * x, 55 * x + 55)}
            assert (part.seasonality.isel(spot) == 255).all()
    report = xinpaint.fill(src, dst, "seasonality", **GIVEN)
    assert report.complete
    assert report.done == 6 - ledger.counts()["filled"]
    assert chunks(dst) == wanted


def test_of_a_filled_store(src: Path, tmp_path: Path) -> None:
    filled, dst = tmp_path / "filled.zarr", tmp_path / "water.zarr"
    xinpaint.fill(src, filled, "linear_time", progress=False)
    assert xinpaint.fill(filled, dst, "seasonality", **GIVEN).complete
    wanted = xinpaint.open_filled(filled).water.seasonality(scale=1e-4, device="cpu").compute()
    same(xinpaint.open_filled(dst, strict=True).compute(), wanted)
    Ledger(filled).mark(complete=False)
    with pytest.raises(DataError, match="is the output of a fill job that is unfinished"):
        xinpaint.fill(filled, tmp_path / "other.zarr", "seasonality", **GIVEN)


def test_a_chunk_that_does_not_read(src: Path, tmp_path: Path, whole: Path) -> None:
    bad, dst = src / "swir1" / "1.2.2", tmp_path / "water.zarr"
    good = bad.read_bytes()
    bad.write_bytes(b"rubbish")
    try:
        report = xinpaint.fill(src, dst, "seasonality", **GIVEN)
    finally:
        bad.write_bytes(good)
    assert set(report.failures) == {"0/0/1", "0/0/2", "0/1/1", "0/1/2"}
    assert all(text.startswith("cannot read 'swir1': ") for text in report.failures.values())
    assert xinpaint.fill(src, dst, "seasonality", retry_failed=True, **GIVEN).complete
    assert chunks(dst) == chunks(whole)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"scale": None}, SchemaError, "integers without scale_factor"),
        ({"window": 5}, SchemaError, "window=5 needs at least 5"),
        ({"shards": True}, JobError, "without"),
        ({"max_dates": 3}, MethodError, r"there is no option \['max_dates'\]"),
        ({"block": (2, 55, 55)}, JobError, "looks along the whole of t"),
    ],
)
def test_what_makes_no_sense(src: Path, tmp_path: Path, given, error, told: str) -> None:
    with pytest.raises(error, match=told):
        xinpaint.fill(src, tmp_path / "water.zarr", "seasonality", **{**GIVEN, **given})
    assert not (tmp_path / "water.zarr").exists()


def test_nothing_is_appended(src: Path, whole: Path) -> None:
    with pytest.raises(JobError, match="windows of months"):
        xinpaint.append(src, whole)
