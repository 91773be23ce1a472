"""Draws of a filled cube: coherent, the same for any chunking, and averaging to the answer."""

import numpy as np
import pytest
import torch
import xarray as xr

import xinpaint  # noqa: F401
from tests.cube.make import make
from xinpaint.cube.draws import draws
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import WeightsError
from xinpaint.io.weights import filler, save
from xinpaint.nets.convlnp import ConvLNP


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    net = ConvLNP((8, 8), 8, 4)
    with torch.no_grad():
        net.latent.bias[4:] = 3.0  # wide latents: draws that differ
        net.decoder.leave.first.weight.mul_(3)
    path = tmp_path_factory.mktemp("weights") / "latent.safetensors"
    numbers = {"widths": [8, 8], "shared": 8, "latents": 4}
    return save(path, net, name="convlnp", numbers=numbers, recipe={}, scores={})


def drawn(ds, weights, count=3, seed=0):
    each = [filler("convnp", weights=weights, draw=k, seed=seed) for k in range(count)]
    return draws(ds, each, name="convnp")


def test_draws_have_a_dimension_and_leave_what_was_observed(weights):
    ds = make(2, 150, 140, dtype="float32")
    filled = drawn(ds, weights)
    for band in ds.data_vars:
        assert filled[band].dims[0] == "sample"
        assert filled[band].dtype == ds[band].dtype
        assert "sample" not in filled[f"{band}_provenance"].dims
        seen = (filled[f"{band}_provenance"] == 1).values
        for one in filled[band].values:
            np.testing.assert_array_equal(one[seen], ds[band].values[seen])
        gap = (filled[f"{band}_provenance"] == 2).values
        assert not np.array_equal(filled[band].values[0][gap], filled[band].values[1][gap])


def test_draws_do_not_depend_on_chunks(weights):
    ds = make(2, 150, 140, dtype="float32")
    whole = drawn(ds, weights)
    tiled = drawn(ds.chunk({"time": 1, "y": 70, "x": 70}), weights)
    for band in ds.data_vars:
        width = float(whole[band].max() - whole[band].min())
        np.testing.assert_allclose(
            np.asarray(tiled[band].values, float),
            np.asarray(whole[band].values, float),
            rtol=0,
            atol=1 + 1e-4 * width,
        )


def test_the_seed_decides(weights):
    ds = make(2, 150, 140, dtype="float32")
    xr.testing.assert_identical(drawn(ds, weights, 1), drawn(ds, weights, 1))
    assert not drawn(ds, weights, 1).equals(drawn(ds, weights, 1, seed=1))


def test_the_answer_has_a_spread_and_a_draw_has_none(weights):
    ds = make(2, 150, 140, dtype="float32")
    answer = inpaint(ds, filler("convnp", weights=weights), name="convnp")
    one = inpaint(ds, filler("convnp", weights=weights, draw=0), name="convnp")
    band = next(iter(ds.data_vars))
    assert f"{band}_std" in answer
    assert f"{band}_std" not in one


def test_a_net_without_latents_draws_nothing():
    with pytest.raises(WeightsError, match="draws no samples"):
        filler("convnp", draw=0)
