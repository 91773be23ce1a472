import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.tiny import SMALL, losses_of
from xinpaint.errors import DataError, RecipeError, TrainingError
from xinpaint.train import checkpoint, data, evaluate, loop, losses, recipe, state
from xinpaint.train.log import Log


def test_training_writes_weights_that_fill(folder, plan, tmp_path):
    from xinpaint.core.task import Task
    from xinpaint.io.weights import card, filler

    path = loop.fit(plan, tmp_path, data=folder, progress=False)
    told = card(path)
    assert told["recipe"]["name"] == "tiny" and told["scores"]["validation"]["psnr"] > 5
    context = np.ones((1, 2, 30, 31), bool)
    context[..., 10:14, :] = False
    values = np.random.default_rng(0).normal(size=context.shape).astype(np.float32)
    answer = filler("convnp", weights=path, device="cpu").fill(Task(values, context, ~context))
    assert np.isfinite(answer.mean[~context]).all() and (answer.std[~context] > 0).all()
    assert np.isnan(answer.mean[context]).all()


NUMBERS = {
    "ongrid": {"width": 8, "blocks": 1, "shared": 8},
    "convlnp": {"widths": [8, 8], "shared": 8, "latents": 4, "draws": 2},
    "unet": {"widths": [8, 8, 8, 8], "shared": 8},
    "partialconv": {"widths": [8, 8, 8, 8], "shared": 8},
}


@pytest.mark.parametrize("net", NUMBERS)
def test_every_net_of_space_is_trained_by_the_same_loop(net, folder, plan, tmp_path):
    from xinpaint.core.task import Task
    from xinpaint.io.weights import card, filler

    asked = replace(plan, net=net, numbers=NUMBERS[net], steps=6)
    made = loop.fit(asked, tmp_path, data=folder, progress=False)
    assert card(made)["probabilistic"] == (net != "partialconv")
    context = np.ones((1, 2, 80, 72), bool)
    context[..., 30:40, :] = False
    values = np.random.default_rng(0).normal(size=context.shape).astype(np.float32)
    answer = filler("convnp", weights=made).fill(Task(values, context, ~context, np.zeros(1)))
    assert np.isfinite(answer.mean[~context]).all()
    assert (answer.std is None) == (net == "partialconv")


def test_batch_normalisation_is_averaged_too(folder, plan, tmp_path):
    from safetensors.numpy import load_file

    asked = replace(plan, net="unet", numbers=NUMBERS["unet"], steps=4)
    held = load_file(loop.fit(asked, tmp_path, data=folder, progress=False))
    assert np.abs(held["enter0.1.running_mean"]).max() > 0


def test_interrupted_run_follows_the_unbroken_one(folder, plan, tmp_path, monkeypatch):
    whole = loop.fit(plan, tmp_path / "whole", data=folder, progress=False)
    real, calls = loop.advance, []

    def stops(*args):
        if len(calls) == 7:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*args)

    monkeypatch.setattr(loop, "advance", stops)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(plan, tmp_path / "cut", data=folder, progress=False)
    monkeypatch.setattr(loop, "advance", real)
    resumed = loop.fit(plan, tmp_path / "cut", data=folder, progress=False)
    assert losses_of(tmp_path / "cut") == losses_of(tmp_path / "whole")
    assert resumed.read_bytes() == whole.read_bytes()


def test_killed_run_resumes(folder, plan, tmp_path):
    text = "\n".join(
        f"{k} = {list(v) if isinstance(v, tuple) else v!r}"
        for k, v in SMALL.items()
        if k != "numbers"
    ).replace("'", '"')
    text += "\n[numbers]\nwidths = [8, 8, 8]\nshared = [0, 8, 8]\n"
    toml = tmp_path / "r.toml"
    toml.write_text(text.replace("steps = 12", "steps = 4000"))
    out = tmp_path / "run"
    command = (
        "import sys; from xinpaint.train.loop import fit; "
        "fit(sys.argv[1], sys.argv[2], progress=False)"
    )
    env = {**os.environ, "XINPAINT_DATA": str(folder), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", command, str(toml), str(out)], env=env)
    for _ in range(600):
        time.sleep(0.1)
        if (out / "checkpoint.pt").exists():
            break
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    held = torch.load(out / "checkpoint.pt", weights_only=True)
    assert held["step"] >= 2 and held["step"] % 2 == 0
    before = losses_of(out)[: held["step"]]
    (out / "checkpoint.pt.partial").write_bytes(b"torn")
    state = loop.begin(recipe.read(toml), "cpu")
    checkpoint.resume(state, recipe.read(toml), out, "cpu")
    assert state.step == held["step"]
    log = Log(out, state.step, evaluate.Score, tensorboard=False)
    assert losses_of(log.path.parent) == before


def test_other_recipe_in_the_folder_is_refused(folder, plan, tmp_path):
    loop.fit(plan, tmp_path, data=folder, progress=False)
    with pytest.raises(RecipeError, match="another recipe"):
        loop.fit(recipe.Recipe(**{**SMALL, "seed": 5}), tmp_path, data=folder, progress=False)


def test_nan_loss_stops_and_names_the_last_good(folder, plan, tmp_path, monkeypatch):
    real = state.objective
    calls = []

    def poisoned(*args):
        calls.append(1)
        return real(*args) * (float("nan") if len(calls) == 6 else 1)

    monkeypatch.setattr(state, "objective", poisoned)
    with pytest.raises(TrainingError, match=r"loss is nan at step 5.*checkpoint\.pt"):
        loop.fit(plan, tmp_path, data=folder, progress=False)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4


def test_bad_recipes_are_named(tmp_path, monkeypatch):
    path = tmp_path / "r.toml"
    path.write_text("name = ")
    with pytest.raises(RecipeError, match="not TOML"):
        recipe.read(path)
    path.write_text('name = "x"\nspeed = 3\n')
    with pytest.raises(RecipeError, match=r"unknown keys \['speed'\]"):
        recipe.read(path)
    path.write_text('name = "x"\n')
    with pytest.raises(RecipeError, match=r"missing keys \['images', 'masks', 'validation'\]"):
        recipe.read(path)
    with pytest.raises(RecipeError, match="patch = 60"):
        recipe.Recipe(**{**SMALL, "patch": 60})
    monkeypatch.delenv("XINPAINT_DATA", raising=False)
    with pytest.raises(DataError, match="XINPAINT_DATA"):
        data.data_folder()


def test_shipped_recipe_reads_and_holds_nothing_of_the_test_scenes():
    for path in (Path(loop.__file__).parent.parent / "recipes").glob("*.toml"):
        plan = recipe.read(path)
        for tested in ("ood", "oakville", "slc_off", "pairs/*"):
            assert not [g for g in (*plan.images, *plan.stacks) if tested in g]
        assert "P093R085" in plan.validation


def test_tasks_hide_only_valid_pixels_and_repeat(folder):
    images = data.read_images(folder, ("train/*.tif",))
    bank = data.read_masks(folder, ("masks/*.npz",))
    for step in range(6):
        one, two = (data.sample(images, bank, patch=72, batch=6, seed=[0, step]) for _ in range(2))
        assert all(
            np.array_equal(getattr(one, k), getattr(two, k)) for k in ("truth", "context", "target")
        )
        assert not (one.context * one.target).any()
        assert 0.02 < one.target.mean() < 0.8


def test_held_out_images_never_train(folder, plan, tmp_path, monkeypatch):
    seen = set()
    real = loop.sample

    def spy(images, *args, **options):
        seen.update(i.name for i in images)
        return real(images, *args, **options)

    monkeypatch.setattr(loop, "sample", spy)
    loop.fit(plan, tmp_path, data=folder, progress=False)
    assert seen == {"a", "b"}


def test_beta_nll_at_zero_is_the_likelihood():
    mean, std, truth = torch.randn(3, 1, 2, 4, 4).unbind(0)
    std = std.abs() + 0.1
    target = torch.ones_like(mean)
    want = -torch.distributions.Normal(mean, std).log_prob(truth).mean() - 0.5 * np.log(2 * np.pi)
    assert losses.beta_nll(mean, std, truth, target, 0.0) == pytest.approx(float(want), rel=1e-5)


def test_one_draw_is_the_likelihood_and_more_are_its_mean():
    generator = torch.Generator().manual_seed(0)
    mean, truth = torch.randn(2, 2, 3, 8, 8, generator=generator).unbind(0)
    std, target = torch.rand(2, 2, 3, 8, 8, generator=generator).add(0.2).unbind(0)
    target = (target > 0.7).float()
    one = losses.latent_nll(mean[None], std[None], truth, target, 0.0)
    torch.testing.assert_close(one, losses.beta_nll(mean, std, truth, target, 0.0))
    twice = losses.latent_nll(mean.expand(2, *mean.shape), std[None], truth, target, 0.0)
    torch.testing.assert_close(twice, one)
    # a draw far from the truth costs no more than its share of the draws: log 2 a task
    far = torch.stack([mean, mean + 1e3])
    both = losses.latent_nll(far, std.expand(2, *std.shape), truth, target, 0.0)
    torch.testing.assert_close(both - one, 2 * torch.tensor(2.0).log() / target.sum())


def test_hole_loss_is_nought_for_a_flat_truth_and_grows_in_the_hole():
    truth, context = torch.full((1, 1, 9, 9), 0.3), torch.ones(1, 1, 9, 9)
    context[..., 3:6, 3:6] = 0
    target = 1 - context
    assert float(losses.hole_loss(truth, truth, context, target)) == 0
    inside = losses.hole_loss(truth + 0.1 * target, truth, context, target)
    outside = losses.hole_loss(truth + 0.1 * context, truth, context, target)
    assert float(inside) > 6 * float(outside) * 0.99
    beyond = losses.hole_loss(truth + 5 * (1 - context - target), truth, context, target)
    assert float(beyond) == 0


def test_calibration_makes_the_interval_cover_ninety():
    class Guess(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("temperature", torch.ones(()))

        def forward(self, values, context):
            return torch.zeros_like(values), 0.2 * torch.ones_like(values) * self.temperature

    truth = np.random.default_rng(0).normal(size=(1, 1, 64, 64)).astype(np.float32)
    task = data.Batch(truth, np.zeros_like(truth), np.ones_like(truth))
    net = Guess()
    assert evaluate.calibrate(net, [task]) == pytest.approx(5, rel=0.05)
    assert evaluate.validate(net, [task]).coverage == pytest.approx(0.9, abs=0.002)
