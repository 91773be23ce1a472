"""The benchmark of models, on scenes and nets that are tiny."""

from __future__ import annotations

import csv
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.models import __main__ as models
from benchmarks.models import claims, coherence, runs, scoring, speed, tables
from benchmarks.models.scoring import LEVELS, OOD, VALIDATION, Row
from benchmarks.quality import scenes
from benchmarks.speed import scene
from tests.nets.small import write
from xinpaint.core.intervals import DEGREES, SCALE
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import DataError

SIDE = 40
METHODS = [*scoring.CLASSICAL, "convnp", "convcnp", "convlnp", "unet", "partialconv"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two OOD scenes, two validation chips, and both banks of gaps."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    names = ["ood/one", "ood/two", "train/etm_25_P093R085_1", "train/etm_26_P093R085_1"]
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        shape = {"width": SIDE, "height": SIDE, "count": 2, "dtype": "uint8"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver="GTiff", **shape) as file:
                file.write(scene.image(SIDE, "uint8", seed=number)[:2])
    gaps = np.stack([scene.gap(64, seed=k) for k in range(3)])
    for _, bank in (scenes.OOD, scenes.VALIDATION):
        (tmp_path / bank).parent.mkdir(exist_ok=True)
        np.savez(tmp_path / bank, mask=np.packbits(gaps, axis=-1))
    monkeypatch.setenv("XINPAINT_DATA", str(tmp_path))
    monkeypatch.setattr(speed.throughput, "__defaults__", (32, 1))
    return tmp_path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Four nets, a second seed of one, another loss and a poorer net of another."""
    base = tmp_path / "runs"
    both = {"steps": 20, "nll": 1.0, "ms_ssim": 0.5}
    for net in ("convcnp", "convlnp", "unet", "partialconv"):
        write(base / f"{net}-0", net, **both)
    write(base / "unet-1", "unet", seed=1, **both)
    write(base / "convcnp-0-nll", "convcnp", **both | {"ms_ssim": 0.0})
    write(base / "plain-0", "convcnp", lacks="levels", **both | {"steps": 30})
    (base / "unet-0" / "time.json").write_text(json.dumps({"cpu_seconds": 1234}))
    return base


def words(base: Path, trained: Path, *more: str) -> list[str]:
    """A command line that writes below `base`."""
    where = ["--docs", str(base / "docs"), "--cache", str(base / "cache.json"), "--masks", "1"]
    return ["--runs", str(trained), *where, *more]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_page_and_what_is_beside_it(
    data: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert models.main(words(tmp_path, trained, "--samples")) == 0
    out, docs = capsys.readouterr().out, tmp_path / "docs"
    page = (docs / "results-models.md").read_text()
    assert "## Draws" in page
    for asked in (
        "default over unet, OOD",
        "convcnp, same budget, over partialconv",
        "ConvLNP's",
        "draws of convlnp",
        "draws of convnp",
        "cloud-like blobs: better",
        "convnp: coverage",
    ):
        assert asked in out
        assert asked in page
    assert "partialconv: coverage" not in page
    parameters = runs.read_run(trained / "unet-0" / "unet.safetensors").parameters
    assert f"| unet | {parameters:,} | 20 | 2 | 1,234 |" in page
    for told in (
        "convcnp | both | 20",
        "convcnp | likelihood | 20",
        "convcnp without levels | both",
    ):
        assert f"| {told} |" in page
    with (docs / "results-models.csv").open() as file:
        rows = list(csv.DictReader(file))
    cases = 3 * 4  # two scenes and the validation scene, four kinds of gap
    assert len(rows) == cases * (len(METHODS) + 3)
    flat = [r for r in rows if r["method"] == "partialconv"]
    assert all(r["cover90"] == "" and r["crps"] == r["mae"] for r in flat)
    for name in ("models.png", "models-reliability.png"):
        assert (docs / "images" / name).stat().st_size > 10_000
    log = (docs / "ood-runs.csv").read_text()
    assert len(log.splitlines()) == 1 + 8  # the default, five main runs, two of the ablation

    monkeypatch.setattr(scoring, "score", lambda *_: pytest.fail("scored again"))
    assert models.main(words(tmp_path, trained)) == 0
    assert (docs / "ood-runs.csv").read_text() == log
    assert "## Draws" not in (docs / "results-models.md").read_text()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_validation_looks_at_no_other_scene_and_writes_no_page(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data / "ood").iterdir():
        path.unlink()
    only = trained / "unet-0"
    assert models.main(words(tmp_path, only, "--validation")) == 0
    assert "unet" in capsys.readouterr().out
    assert not (tmp_path / "docs").exists()


def test_a_folder_without_weights(data: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert models.main(words(tmp_path, tmp_path / "empty")) == 1
    assert "no .safetensors in" in capsys.readouterr().err


def test_runs_are_told_apart_by_net_loss_and_steps(tmp_path: Path) -> None:
    write(tmp_path / "a", "unet", steps=100, seed=3, nll=1.0, ms_ssim=0.5)
    write(tmp_path / "b", "unet", steps=100, seed=1, nll=1.0, ms_ssim=0.5)
    write(tmp_path / "c", "unet", steps=50, nll=1.0, ms_ssim=0.5)
    write(tmp_path / "d", "unet", steps=100, nll=0.0, ms_ssim=0.5)
    found = runs.read_runs([tmp_path])
    assert [(r.method, r.seed, r.main, r.first) for r in found] == [
        ("unet", 1, True, True),
        ("unet", 3, True, False),
        ("unet, MS-SSIM", 0, False, False),
        ("unet, both 50", 0, False, False),
    ]
    assert math.isnan(found[0].cpu_seconds)
    write(tmp_path / "e", "unet", steps=100, seed=3, nll=1.0, ms_ssim=0.5)
    with pytest.raises(DataError, match=r"are both unet, seed 3"):
        runs.read_runs([tmp_path])


def test_calibration_of_a_filler_that_knows_its_error() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 200, (2, 96, 96)).astype(np.float32)
    place = scenes.Scene("place", values, np.ones(values.shape, bool))
    case = scenes.Case(place, "clouds", 0, rng.random((96, 96)) < 0.5)

    class Honest:
        halo = Halo()

        def fill(self, task: Task) -> Fill:
            error = (20 * SCALE * rng.standard_t(DEGREES, values.shape)).astype(np.float32)
            return Fill((values + error)[None], np.full(task.shape, 20, np.float32))

    row = scoring.score(case, "honest", Honest(), OOD)
    assert np.allclose(row.covers, LEVELS, atol=0.02)
    assert row.coverage == row.cover(0.9)
    _low, width = place.scale()
    assert row.sharpness == pytest.approx(2 * 1.645 * 20 / width.mean(), rel=0.01)
    silent = scoring.score(case, "silent", _silent(), OOD)
    assert silent.crps == silent.mae
    assert math.isnan(silent.sharpness)


def _silent():
    class Silent:
        halo = Halo()

        def fill(self, task: Task) -> Fill:
            return Fill(np.full_like(task.values, np.nan))

    return Silent()


def row(method: str, psnr: float, *, place: str = "a", run: int = 0, seed: int = 0) -> Row:
    """A row whose other metrics follow PSNR; covers exactly."""
    rest = (0.4, 100, 1.0, psnr, psnr / 50, 1 / psnr, 1 / psnr, 0.9, 1.0)
    return Row(place, "clouds", seed, method, *rest, OOD, run, LEVELS, 0.1)


def test_wins_and_defeats_come_out_of_the_rows(trained: Path) -> None:
    some = [r for r in runs.read_runs([trained]) if r.net in ("unet", "partialconv")]
    own = runs.read_run(None, "convnp")
    rows = [row(m, 10) for m in scoring.CLASSICAL]
    rows += [row("convnp", 20), row("unet", 21), row("partialconv", 15)]
    told = claims.defeats(rows)
    assert "not the best in 4 of 4" in told
    assert "| a | clouds | PSNR | unet | 1.00 |" in told
    assert "| unet | 1/1 | 1/1 | 1/1 | 1/1 |" in claims.wins(rows, [own, *some])
    over = {c.text: c for c in (claims._over(rows, "convnp", r) for r in ("unet", "partialconv"))}
    assert not over["default over unet, OOD"].met
    assert over["default over partialconv, OOD"].met
    rows = [r for r in rows if r.method != "unet"]
    assert claims.defeats(rows).startswith("Nowhere: `convnp` is the best in all 4")
    assert claims._wide(rows, "clouds").met
    assert not claims._wide([*rows[1:], row(scoring.CLASSICAL[0], 25)], "clouds").met
    assert claims._covered([row("convnp", 20)]).met


def test_spreads_over_masks_and_over_training_seeds() -> None:
    rows = [row("unet", 20, seed=k) for k in (0, 1)] + [row("unet", 22, run=1)]
    rows += [row("unet", 24, seed=2)]
    assert tables.over_masks(tables.one_run(rows), "psnr") == pytest.approx(
        np.std([20, 20, 24], ddof=1)
    )
    assert tables.over_runs(rows, "psnr") == pytest.approx(np.std([20, 22], ddof=1))
    assert math.isnan(tables.over_runs(rows[:2], "psnr"))


def test_autocorrelation_is_that_of_the_pixels_inside() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(64, 64))
    inside = np.ones(noise.shape, bool)
    inside[:, 32:] = False
    field = np.where(inside, noise, 7)
    assert abs(coherence.autocorrelation(field, inside, 1)) < 0.1
    smooth = np.repeat(np.repeat(noise, 8, 0), 8, 1)
    whole = np.ones(smooth.shape, bool)
    assert coherence.autocorrelation(smooth, whole, 1) == pytest.approx(7 / 8, abs=0.03)
    assert coherence.autocorrelation(smooth, whole, 4) == pytest.approx(1 / 2, abs=0.05)
    assert math.isnan(coherence.autocorrelation(field, np.zeros_like(inside), 1))


def test_validation_windows_are_never_those_of_ood(data: Path) -> None:
    drawn = models.draw(data, 2, False)
    held = [case for split, case in drawn if split == VALIDATION]
    assert {case.scene.name for case in held} == {scoring.HELD}
    assert len(held) == 2 * 4
    assert not np.array_equal(held[0].scene.values, held[-1].scene.values)
