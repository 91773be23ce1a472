"""The benchmarks run, on something tiny."""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import __main__ as quality
from benchmarks.quality import report, scenes, scoring
from benchmarks.quality.scoring import RIVALS, Memory, Row
from benchmarks.speed import __main__ as speed
from benchmarks.speed import bench_fill, bench_import, scene
from xinpaint.methods.table import METHODS

SIDE = 48


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of two small scenes, one with a border of nodata, and a bank of gaps."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    for number, (name, dtype, nodata) in enumerate([("one", "uint8", 0), ("two", "int16", None)]):
        values = scene.image(SIDE, dtype, seed=number)[:2]
        if nodata is not None:
            values[:, :, :3] = nodata
        path = tmp_path / "ood" / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        shape = {"width": SIDE, "height": SIDE, "count": 2}
        with (
            pytest.warns(NotGeoreferencedWarning),
            rasterio.open(path, "w", driver="GTiff", dtype=dtype, nodata=nodata, **shape) as file,
        ):
            file.write(values)
    gaps = np.stack([scene.gap(64, seed=k) for k in range(3)])
    (tmp_path / "masks").mkdir()
    bank = tmp_path / "masks" / "slc_gaps_colombia_256.npz"
    np.savez(bank, mask=np.packbits(gaps, axis=-1))
    monkeypatch.setenv("XINPAINT_DATA", str(tmp_path))
    return tmp_path


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))


def drawn(data: Path, seeds: int = 2) -> list[scenes.Case]:
    """The cases of the small folder."""
    pattern, bank = scenes.OOD
    with pytest.warns():
        found = scenes.read_scenes(data, pattern)
    return scenes.cases(found, scenes.read_bank(data / bank), seeds)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_quality_writes_its_page_and_logs_each_run(data: Path, tmp_path: Path) -> None:
    docs, cache = tmp_path / "docs", tmp_path / "cache.json"
    words = ["--masks", "2", "--docs", str(docs), "--cache", str(cache)]
    assert quality.main(words) == 0
    rows = table(docs / "results.csv")
    assert len(rows) == 2 * 2 * 2 * (len(RIVALS) + 1)
    assert len(json.loads(cache.read_text())) == 2 * 2 * 2 * len(RIVALS)
    page = (docs / "results.md").read_text()
    assert "| one | edge |" in page
    assert "| two | real |" in page
    assert quality.main([*words, "--fast"]) == 0
    assert (docs / "results.md").read_text() == page
    log = table(docs / "ood-runs.csv")
    assert [entry["masks"] for entry in log] == ["2", "1"]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_quality_on_validation_writes_nothing(data: Path, tmp_path: Path) -> None:
    (data / "train").mkdir()
    (data / "ood" / "one.tif").rename(data / "train" / "etm_25_P093R085_20001004.tif")
    (data / scenes.OOD[1]).rename(data / scenes.VALIDATION[1])
    docs = tmp_path / "docs"
    words = ["--validation", "--fast", "--docs", str(docs), "--cache", str(tmp_path / "c.json")]
    assert quality.main(words) == 0
    assert not docs.exists()


def test_quality_says_where_the_data_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XINPAINT_DATA", str(tmp_path))
    assert quality.main([]) == 1
    assert "XINPAINT_DATA" in capsys.readouterr().err


def test_the_truth_scores_full_marks_and_silence_does_not_pay(data: Path) -> None:
    from xinpaint.core.task import Fill, Task
    from xinpaint.core.tiling import Halo

    case = drawn(data)[0]

    class Oracle:
        halo = Halo()

        def fill(self, task: Task) -> Fill:
            return Fill(case.scene.values[None], np.zeros_like(task.values))

    class Silent:
        halo = Halo()

        def fill(self, task: Task) -> Fill:
            return Fill(np.full_like(task.values, np.nan))

    oracle, silent = scoring.score(case, "o", Oracle()), scoring.score(case, "s", Silent())
    assert oracle.psnr > 120
    assert oracle.ssim == pytest.approx(1)
    assert oracle.mae == pytest.approx(0, abs=1e-6)
    assert oracle.answered == 1
    assert silent.answered == 0
    assert 0 < silent.psnr < 20
    assert np.isnan(silent.crps)


def test_hidden_pixels_are_valid_and_unseen(data: Path) -> None:
    for case in drawn(data):
        task = case.task
        assert not (task.target & ~case.scene.valid).any()
        assert np.all(task.values[~task.context] == 0)
        assert np.array_equal(task.target[0], case.scene.valid & case.gap)


def test_a_rival_is_scored_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, path = drawn(data)[0], tmp_path / "memory.json"
    first = Memory(path).score(case, "fillnodata")
    monkeypatch.setitem(METHODS, "fillnodata", lambda: pytest.fail("asked again"))
    assert repr(Memory(path).score(case, "fillnodata")) == repr(first)


def row(method: str, psnr: float, seed: int = 0) -> Row:
    """A row whose other metrics follow PSNR."""
    own = method == report.OWN
    return Row(
        "place", "edge", seed, method, 0.4, 100, 1, psnr, psnr / 50, 1 / psnr, 0.1, 0.9 * own, 1
    )


def test_a_gain_is_over_the_best_rival_of_the_case() -> None:
    rows = [row(m, 20 + k) for k, m in enumerate(RIVALS)] + [row(report.OWN, 26)]
    psnr, ssim, mae = report.gains(rows)
    best = list(RIVALS)[-1]
    assert psnr.rival == ssim.rival == mae.rival == best
    assert psnr.value == pytest.approx(26 - 27)
    assert mae.value == pytest.approx(1 / 27 - 1 / 26)
    assert report.summary(rows)["better"] == "0/1"


def test_every_spatial_method_is_a_rival() -> None:
    spatial = {name for name in METHODS if METHODS[name]().halo.t == 0}
    assert {method for method, _ in RIVALS.values()} == spatial


@pytest.mark.parametrize("kind", [bench_fill.Method, bench_fill.Cube, bench_fill.OpenCV])
def test_every_asv_benchmark_runs(kind: type) -> None:
    for values in kind.params[0] if hasattr(kind, "params") else [()]:
        args = values if isinstance(values, tuple) else (values,)
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith(("time_", "peakmem_")):
                bench = kind()
                bench.setup(*args, side=32)
                method(bench, *args)


def test_the_speed_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_import.Import, "repeat", 1)
    words = "--sides 64 --dask-side 160 --dask-chunk 80 --memory-side 0 --repeat 1"
    speed.main(words.split())
    out = capsys.readouterr().out
    assert "convnp, dask chunks 80²" in out
    assert "OpenCV Navier-Stokes r=5" in out


def test_peak_memory_of_a_small_cube() -> None:
    words = [sys.executable, "-m", "benchmarks.speed.memory", "--side", "100", "--chunk", "64"]
    root = Path(__file__).parents[1]
    run = subprocess.run(words, check=True, capture_output=True, text=True, cwd=root)
    told = json.loads(run.stdout)
    assert 0 < told["before_gb"] <= told["peak_gb"] < 4


def test_a_scene_to_adapt_to_lacks_what_is_scored() -> None:
    from benchmarks.adapt import gappy

    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 40, 48)).astype(np.float32)
    made = scenes.Scene("s", values, np.ones(values.shape, bool))
    gap = rng.random((40, 48)) < 0.3
    cube = gappy(scenes.Case(made, "real", 0, gap))
    np.testing.assert_array_equal(np.isnan(cube.band1.values), gap)
    np.testing.assert_array_equal(cube.band0.values[~gap], values[0][~gap])
