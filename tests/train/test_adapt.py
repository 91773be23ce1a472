"""Adapting to a cube of one's own, and scoring weights: nothing held out is learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy import ndimage

from xinpaint.cli import main
from xinpaint.core import masks
from xinpaint.cube import schema
from xinpaint.errors import DataError, RecipeError, WeightsError
from xinpaint.io.weights import card, save, sha256
from xinpaint.nets.table import NETS
from xinpaint.train import adapt, assess, evaluate, ground, loop

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")

NUMBERS = {"widths": [8, 8, 8], "shared": [0, 8, 8]}


def cube(side: int = 80, dates: int = 1) -> xr.Dataset:
    """Two bands of smooth ground with stripes."""
    rng = np.random.default_rng(0)
    shape = (dates, side, side)
    gap = np.stack([masks.scan_lines((side, side), seed=k, position=0.4) for k in range(dates)])
    made = {}
    for name in ("red", "nir08"):
        field = ndimage.gaussian_filter(rng.normal(size=shape), (0, 3, 3))
        values = (1000 + 5000 * (field - field.min())).astype(np.int16)
        values[gap] = -9999
        made[name] = (("time", "y", "x"), values, {"_FillValue": np.int16(-9999)})
    times = pd.date_range("2005-01-04", periods=dates, freq="16D")
    return xr.Dataset(made, {"time": times, "y": -30.0 * np.arange(side), "x": np.arange(side)})


def untrained(folder, net: str, numbers: dict) -> str:
    """Weights of a net that has learned nothing: whatever it learns makes it better."""
    torch.manual_seed(0)
    recipe = {"licence": "CC0", "reference": "none", "psnr": 0.25}
    path = folder / f"{net}-raw.safetensors"
    made = save(path, NETS[net](**numbers), name=net, numbers=numbers, recipe=recipe, scores={})
    return str(made)


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> str:
    return untrained(tmp_path_factory.mktemp("weights"), "convcnp", NUMBERS)


def test_adapting_helps_and_the_card_says_from_what(parent, tmp_path) -> None:
    before = sha256(parent)
    done = adapt.adapt(cube(), tmp_path / "own", weights=parent, steps=8)
    assert done.gain["psnr"] > 0 and done.gain["crps"] > 0
    assert done.weights == tmp_path / "own" / "convcnp-raw-adapted.safetensors"
    told = card(done.weights)
    assert told["adapted"]["parent_sha256"] == before == sha256(parent)
    assert told["adapted"]["parent"] == "convcnp-raw" and told["adapted"]["steps"] == 8
    assert told["adapted"]["gain"]["psnr"] == pytest.approx(done.gain["psnr"], abs=1e-4)
    assert told["licence"] == "CC0" and told["recipe"]["start"] == "convcnp-raw"
    assert told["recipe"]["psnr"] == 0.25  # what its parent listened to, it listens to
    assert told["scores"]["held_out"]["psnr"] == pytest.approx(done.after.psnr)
    filled = cube().inpaint.convnp(weights=done.weights, device="cpu")
    assert (filled.red_provenance == 2).any()
    # the spread was calibrated on the held-out blocks, under other gaps
    assert 0.75 < done.after.coverage < 0.99
    again = adapt.adapt(cube(), tmp_path / "again", weights=parent, steps=8)
    assert again.weights is not None and done.weights is not None
    assert again.weights.read_bytes() == done.weights.read_bytes()


def test_nothing_held_out_is_in_a_task_that_teaches() -> None:
    place = ground.read(schema.read(cube(136, 2)), seed=0)
    (piece,), (held,) = place.pieces, place.held
    assert 0.05 < held.mean() < 0.3
    marked = np.where(held, np.float32(99), piece.values)
    marked = replace(place, pieces=(replace(piece, values=marked),))
    for step in range(6):
        batch = ground.batch(marked, size=8, seed=[0, step])
        assert batch.truth.max() < 99  # values under neither mask are 0
        assert not (batch.context * batch.target).any() and batch.target.any()
    for task in ground.tasks(place, 6000, dates=True):
        assert not task.target[0, :, ~held].any() and task.target.any()
        assert task.others is not None and task.others.shape[1] == 1
        assert task.context[0, :, held].any()  # observed pixels around are told


def test_what_is_missing_is_never_learned_from() -> None:
    place = ground.read(schema.read(cube()), seed=0)
    raw = cube().red.values[0] != -9999
    np.testing.assert_array_equal(place.pieces[0].valid[0, 0], raw)


def test_where_it_is_no_better_nothing_is_written(parent, tmp_path, monkeypatch, capsys) -> None:
    scores = [evaluate.Score(20.0, 0.9, 0.05), evaluate.Score(20.1, 0.9, 0.06)]
    monkeypatch.setattr(evaluate, "validate", lambda *_: scores.pop(0))
    cube().to_zarr(tmp_path / "c.zarr", consolidated=True)
    words = ["adapt", str(tmp_path / "c.zarr"), "--weights", parent, "--steps", "1"]
    assert main([*words, "--out", str(tmp_path / "own")]) == 1
    said = capsys.readouterr().out
    assert "nothing was written" in said and "PSNR +0.100 dB, CRPS -20.0%" in said
    assert not (tmp_path / "own").exists()


def test_a_net_of_dates_keeps_what_it_knows_of_dates(tmp_path) -> None:
    numbers = {"width": 8, "deep": 8, "shared": 8, "spatial": NUMBERS}
    raw = untrained(tmp_path, "convnp", numbers)
    done = adapt.adapt(cube(dates=2), tmp_path / "own", weights=raw, steps=4)
    from safetensors.torch import load_file

    if done.weights is None:  # its dates are untrained noise, so this may be no better
        pytest.skip("no better")
    old, new = load_file(raw), load_file(done.weights)
    moved = {k.split(".")[0] for k in old if not torch.equal(old[k], new[k])}
    assert moved == {"spatial", "temperature"}


def test_what_cannot_be_adapted_is_named(parent, tmp_path) -> None:
    with pytest.raises(DataError, match="found 64 x 64 pixels; wanted 80 x 80"):
        adapt.adapt(cube(64), tmp_path, weights=parent)
    empty = cube().map(lambda band: xr.full_like(band, -9999), keep_attrs=True)
    with pytest.raises(DataError, match="too few observed pixels"):
        adapt.adapt(empty, tmp_path, weights=parent)
    with pytest.raises(WeightsError, match="tells classes"):
        adapt.adapt(cube(), tmp_path, weights="unet3d-water")
    with pytest.raises(RecipeError, match="minutes = 0"):
        adapt.adapt(cube(), tmp_path, weights=parent, minutes=0)
    with pytest.raises(RecipeError, match="fit into the minutes left"):
        adapt.adapt(cube(), tmp_path, weights=parent, minutes=0.001)
    assert not list(tmp_path.iterdir())


def test_large_cubes_are_cut_into_pieces_that_do_not_overlap() -> None:
    for size in (80, 243, 512, 513, 1000, 7001):
        cuts = ground._cuts(size)
        assert cuts[0].start == 0 and size - cuts[-1].stop < 8
        assert all(a.stop == b.start for a, b in pairwise(cuts))
        assert all((c.stop - c.start) % 8 == 0 and c.stop - c.start <= 512 for c in cuts)


def test_weights_are_scored_on_ones_own_cube(parent, tmp_path, capsys) -> None:
    cube().to_zarr(tmp_path / "c.zarr", consolidated=True)
    out = tmp_path / "deep" / "scores.csv"
    assert main(["evaluate", parent, str(tmp_path / "c.zarr"), "--out", str(out)]) == 0
    said, table = capsys.readouterr().out, pd.read_csv(out, index_col=0)
    assert "coverage95" in said and f"wrote {out}" in said
    assert list(table.index) == ["scan_lines", "clouds"]
    assert tuple(table.columns) == assess.COLUMNS
    assert (table.coverage50 < table.coverage90).all()
    assert (table.coverage90 <= table.coverage95).all()
    assert main(["evaluate", parent, str(tmp_path / "c.zarr"), "--out", "x.txt"]) == 2
    assert "wanted a name that ends in .csv or .json" in capsys.readouterr().err


def test_weights_are_scored_on_what_a_recipe_holds_out(folder, plan, parent, tmp_path) -> None:
    table = assess.assess_recipe(parent, plan, data=folder)
    assert list(table.index) == ["held real", "held edge", "mean"]
    net, tasks = NETS["convcnp"](**NUMBERS), loop.gather(plan, folder)[1]
    from safetensors.torch import load_file

    net.load_state_dict(load_file(parent))
    want = evaluate.validate(net.eval(), tasks)
    found = table.loc["mean"]
    assert found.psnr == pytest.approx(want.psnr, abs=1e-3)
    assert found.crps == pytest.approx(want.crps, rel=1e-4)
    assert found.coverage90 == pytest.approx(want.coverage, abs=1e-6)
    assert found.mae > found.crps and 0 < found.ssim < 1
    with pytest.raises(WeightsError, match="does not do what the recipe"):
        assess.assess_recipe("unet3d-water", plan, data=folder)


def test_the_table_is_written_as_json(folder, parent, tmp_path) -> None:
    words = [f'{k} = "{v}"' for k, v in (("name", "t"), ("validation", "held"))]
    words += ['images = ["train/*.tif"]', 'masks = ["masks/*.npz"]', "patch = 72"]
    (tmp_path / "r.toml").write_text("\n".join(words))
    out = tmp_path / "s.json"
    command = ["evaluate", parent, "--recipe", str(tmp_path / "r.toml"), "--data", str(folder)]
    assert main([*command, "--out", str(out)]) == 0
    rows = json.loads(out.read_text())
    assert [row["task"] for row in rows] == ["held real", "held edge", "mean"]


@pytest.mark.parametrize("words", [["evaluate", "convcnp"], ["adapt"], ["masks"]])
def test_a_url_is_taken_as_it_is(words, tmp_path, capsys) -> None:
    out = ["--out", str(tmp_path / ("t.csv" if words[0] == "evaluate" else "t.npz"))]
    assert main([*words, "memory://nowhere/c.zarr", *out]) == 2
    assert "memory://nowhere/c.zarr" in capsys.readouterr().err


def test_gaps_of_scenes_become_a_bank(tmp_path, capsys) -> None:
    from xinpaint.io.banks import load_bank

    cube(136).to_zarr(tmp_path / "c.zarr", consolidated=True)
    out = tmp_path / "gaps.npz"
    words = ["masks", str(tmp_path / "c.zarr"), "--out", str(out), "--side", "64"]
    assert main(words) == 0
    assert len(load_bank(out)) >= 2
    assert "windows" in capsys.readouterr().out
