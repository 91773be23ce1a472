"""What a fill job is given: slips are one sentence, and fillers of a script are known again."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.io.cubes import chunks
from xinpaint.errors import DataError, JobError, MethodError
from xinpaint.io import lock, source
from xinpaint.io.verify import status
from xinpaint.io.weights import SHIPPED

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
GIVEN: dict[str, Any] = {"block": 32, "progress": False}


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """A small cube."""
    path = tmp_path / "a.zarr"
    make(1, 64, 64).chunk(time=1, y=32, x=32).to_zarr(path, zarr_format=2, consolidated=True)
    return path


@pytest.mark.parametrize(
    "shards", [2.5, "abc", (1.5, 2), (16,), {"y": 16}, np.float64(16)], ids=str
)
def test_shards_that_are_none_are_refused(src: Path, tmp_path: Path, shards: Any) -> None:
    dst = tmp_path / "out.zarr"
    with pytest.raises(JobError, match=r"found shards of .*; wanted a side, \(y, x\)"):
        xinpaint.fill(src, dst, "fillnodata", shards=shards, **GIVEN)
    assert not dst.exists()


def test_shards_may_be_numbers_of_numpy(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "out.zarr"
    assert xinpaint.fill(src, dst, "fillnodata", shards=np.int64(16), **GIVEN).complete
    assert xinpaint.fill(src, dst, "fillnodata", shards=[16, 16], **GIVEN).done == 0


@pytest.mark.parametrize("stored", [{"zarr_format": 2}, {"zarr_format": 3, "consolidated": False}])
def test_what_was_observed_is_a_variable_of_the_source(tmp_path: Path, stored: Any) -> None:
    src, dst, ds = tmp_path / "a.zarr", tmp_path / "out.zarr", make(1, 64, 64)
    ds.to_zarr(src, **stored)
    mask = ds.inpaint.gaps().red & False
    mask[:, 20:24] = True
    with pytest.raises(MethodError, match=r"store the mask .* bool variable") as caught:
        xinpaint.fill(src, dst, "fillnodata", observed=~mask, **GIVEN)
    advice = str(caught.value).rpartition(": ")[2]
    assert advice == "mask.rename('observed').to_dataset().to_zarr(src, mode='a')"
    eval(advice, {"mask": ~mask, "src": src})
    assert xinpaint.fill(src, dst, "fillnodata", **GIVEN).complete
    made = xinpaint.open_filled(dst).red_provenance.values
    wanted = ds.inpaint.fillnodata(observed=~mask).red_provenance.values
    np.testing.assert_array_equal(made, wanted)
    assert (made[:, 20:24] == 2).any()


@pytest.mark.parametrize("method", ["fillnodata", "seasonality"])
def test_where_is_for_cubes_in_hand(src: Path, tmp_path: Path, method: str) -> None:
    with pytest.raises(MethodError, match=r"where= is for cubes in hand, .*ds\.inpaint"):
        xinpaint.fill(src, tmp_path / "out.zarr", method, where=True, **GIVEN)


def test_places_that_are_none_are_refused(src: Path, tmp_path: Path) -> None:
    dst, ds = tmp_path / "out.zarr", make(1, 8, 8)
    for wrong, told in (
        (None, "found NoneType as the source; wanted the path or URL"),
        (7, "found int as the source"),
        (ds, r"found Dataset as the source.*\.to_zarr\(path\) first, or .*\.inpaint"),
        (ds["red"], r"found DataArray as the source.*\.to_zarr"),
    ):
        with pytest.raises(DataError, match=told):
            xinpaint.fill(wrong, dst, "fillnodata", **GIVEN)
    for wrong in (None, 7, ds):
        kind = type(wrong).__name__
        with pytest.raises(JobError, match=f"found {kind} as the output; wanted a folder"):
            xinpaint.fill(src, wrong, "fillnodata", **GIVEN)
        with pytest.raises(JobError, match=f"found {kind} as the output"):
            xinpaint.open_filled(wrong)
    assert not dst.exists()


def test_storage_options_that_are_none_are_refused(src: Path, tmp_path: Path) -> None:
    dst, options = tmp_path / "out.zarr", {"storage_options": "a secret"}
    told = r"^storage_options= is a str; wanted a dict of names and values"
    with pytest.raises(JobError, match=told):
        xinpaint.fill(src, dst, "fillnodata", **GIVEN, **options)
    assert not dst.exists()
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    for ask in (xinpaint.open_filled, xinpaint.verify, status):
        with pytest.raises(JobError, match=told):
            ask(dst, **options)
    with pytest.raises(JobError, match=told):
        xinpaint.append(src, dst, progress=False, **options)


SCRIPT = """
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xinpaint
from tests.cube.fillers import WindowMean

@dataclass(frozen=True)
class Mine(WindowMean):
    held: Any = None

what, src, dst, value = sys.argv[1:]
net = torch.nn.Linear(2, 2)
torch.nn.init.constant_(net.weight, float(value))
torch.nn.init.zeros_(net.bias)
given = Mine(5, held={"net": net, "table": np.arange(3), "half": torch.ones((), dtype=torch.half)})
try:
    if what == "verify":
        xinpaint.verify(dst, repair=True)
    report = xinpaint.fill(src, dst, given, block=32, progress=False)
    print(report.done, report.complete)
except xinpaint.errors.JobError as error:
    print(error)
"""


def test_a_filler_of_a_script_is_known_in_another_process(src: Path, tmp_path: Path) -> None:
    dst, script = tmp_path / "out.zarr", tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(what: str, value: int = 1) -> str:
        """What the script prints in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-W", "ignore", str(script), what, str(src), str(dst)]
        made = subprocess.run(
            [*command, str(value)], env=environment, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    assert run("fill") == "4 True"
    whole = chunks(dst)
    (dst / "red/c/0/0/0").unlink()
    assert "pending again: 1 block, made by a filler of your own" in run("verify")
    assert run("fill") == "1 True"
    assert chunks(dst) == whole
    told = run("fill", 2)
    assert "Different: the filler, or what it holds" in told


def test_a_filler_of_a_script_that_does_not_pickle(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(WindowMean):
        """Nobody finds it by its name."""

    monkeypatch.setattr(Mine, "__module__", "__main__")
    with pytest.raises(JobError, match=r"^the filler, or what it holds, cannot be pickled"):
        xinpaint.fill(src, tmp_path / "out.zarr", Mine(5), **GIVEN)
    assert not (tmp_path / "out.zarr").exists()


def test_another_filler_is_told_in_words(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "out.zarr"
    xinpaint.fill(src, dst, WindowMean(5), **GIVEN)
    with pytest.raises(JobError, match=r"Different: the filler, or what it holds .*__getstate__"):
        xinpaint.fill(src, dst, WindowMean(5, pattern=1.0), **GIVEN)
    with pytest.raises(JobError, match=r"different are the filler, or what it holds"):
        xinpaint.append(src, dst, WindowMean(5, pattern=1.0), progress=False)


def test_weights_that_moved_are_noted(src: Path, tmp_path: Path) -> None:
    dst, here, there = tmp_path / "out.zarr", tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for kind in ("safetensors", "json"):
        shutil.copy(SHIPPED / f"convnp.{kind}", here / f"w.{kind}")
    given: dict[str, Any] = {**GIVEN, "block": 64}
    xinpaint.fill(src, dst, "convnp", weights=here / "w.safetensors", **given)
    here.rename(there)
    report = xinpaint.fill(src, dst, "convnp", weights=there / "w.safetensors", **given)
    assert report.done == 0
    (dst / "red/c/0/0/0").unlink()
    assert xinpaint.verify(dst, repair=True).ok


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENAMETOOLONG])
def test_a_place_that_cannot_be_written_is_said(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code), "out.zarr")

    dst, told = tmp_path / "out.zarr", rf"cannot write .*{os.strerror(code)}.*another path"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", refuses)
        with pytest.raises(JobError, match=told):
            xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    (dst / "red/c/0/0/0").unlink()
    monkeypatch.setattr(lock.os, "open", refuses)
    with pytest.raises(JobError, match=told):
        xinpaint.verify(dst, repair=True)


def test_a_name_that_is_too_long_is_said(src: Path, tmp_path: Path) -> None:
    for length in (245, 300):
        with pytest.raises(JobError, match="name too long"):
            xinpaint.fill(src, tmp_path / ("n" * length), "fillnodata", **GIVEN)
    with pytest.raises(JobError, match="nothing is there"):
        status(tmp_path / ("n" * 300))
    with pytest.raises(DataError, match="is not there: give a Zarr store"):
        xinpaint.fill(tmp_path / ("n" * 300), tmp_path / "out.zarr", "fillnodata", **GIVEN)


def test_the_blocks_of_a_store_hold_where_its_source_is_chunked_anew(tmp_path: Path) -> None:
    src, dst, ds = tmp_path / "a.zarr", tmp_path / "out.zarr", make(1, 1100, 40)
    for side, shards in ((300, True), (200, None), (150, True)):
        shutil.rmtree(src, ignore_errors=True)
        ds.chunk(time=1, y=side, x=40).to_zarr(src, zarr_format=2, consolidated=True)
        report = xinpaint.fill(src, dst, "fillnodata", shards=shards, progress=False)
        assert report.blocks["filled"] == 2
        assert report.done == (2 if side == 300 else 0)


@pytest.mark.filterwarnings("ignore:.* was begun from")
def test_a_source_may_be_written_anew_in_another_format(tmp_path: Path) -> None:
    places = [tmp_path / f"v{number}.zarr" for number in (2, 3)]
    for number, path in zip((2, 3), places, strict=True):
        make(1, 64, 64).chunk(time=1, y=32, x=32).to_zarr(path, zarr_format=number)
    for first, other in (places, places[::-1]):
        dst = tmp_path / f"of-{first.stem}.zarr"
        xinpaint.fill(first, dst, "fillnodata", **GIVEN)
        assert xinpaint.fill(other, dst, "fillnodata", **GIVEN).done == 0


def test_a_source_of_zarr_3_is_that_of_earlier_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    make(1, 64, 64).chunk(time=1, y=32, x=32).to_zarr(path, zarr_format=3)
    raw = source.open_source(str(path))
    said = {str(n): source._told(v.variable, own_fill=True) for n, v in raw.data_vars.items()}
    before = {"source": source.digest(said)}
    assert source.identity(raw)["source"] != before["source"]
    assert source.identity(raw, before)["source"] == before["source"]


def test_a_default_may_be_given_or_left_out(src: Path, tmp_path: Path) -> None:
    for first, other in (({}, {"max_distance": 100}), ({"max_distance": 100}, {})):
        dst = tmp_path / f"{len(first)}.zarr"
        xinpaint.fill(src, dst, "fillnodata", **GIVEN, **first)
        assert xinpaint.fill(src, dst, "fillnodata", **GIVEN, **other).done == 0
        with pytest.raises(JobError, match=r"Different: .*options: "):
            xinpaint.fill(src, dst, "fillnodata", **GIVEN, max_distance=7)


def test_a_net_of_one_date_is_told_what_to_do_when_dates_come(tmp_path: Path) -> None:
    ds, dst = make(2, 64, 64).chunk(time=1), tmp_path / "out.zarr"
    for dates in (1, 2):
        ds.isel(time=slice(0, dates)).to_zarr(tmp_path / f"{dates}", zarr_format=2)
    xinpaint.fill(tmp_path / "1", dst, "convnp", progress=False)
    with pytest.raises(JobError, match=r"begun with one date.*new store; with context='space'"):
        xinpaint.append(tmp_path / "2", dst, progress=False)


def test_where_no_processes_can_be_is_said(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = multiprocessing.current_process()
    monkeypatch.setitem(here._config, "daemon", True)  # type: ignore[attr-defined]
    with pytest.raises(JobError, match="workers=2: a daemonic process has none"):
        xinpaint.fill(src, tmp_path / "out.zarr", "fillnodata", workers=2, **GIVEN)
    monkeypatch.setattr(here, "_inheriting", True, raising=False)
    with pytest.raises(JobError, match=r'workers=2: .* if __name__ == "__main__"'):
        xinpaint.fill(src, tmp_path / "out.zarr", "fillnodata", workers=2, **GIVEN)
    assert not (tmp_path / "out.zarr").exists()
