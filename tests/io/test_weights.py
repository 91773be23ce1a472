import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from dask.base import tokenize
from safetensors.torch import load_file, save_file

from xinpaint.errors import DeviceError, MethodError, WeightsError
from xinpaint.io import weights
from xinpaint.nets.convcnp import ConvCNP

NUMBERS = {"widths": [8, 8, 8], "shared": [0, 8, 8]}


@pytest.fixture
def own(tmp_path):
    torch.manual_seed(0)
    return weights.save(
        tmp_path / "own.safetensors",
        ConvCNP(**NUMBERS),
        name="convcnp",
        numbers=NUMBERS,
        recipe={"licence": "mine"},
        scores={},
    )


def recard(path, **changes):
    place = path.with_suffix(".json")
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def test_saved_weights_are_a_weights_argument(own):
    ready = weights.filler("convnp", weights=own, device="cpu")
    assert ready.attrs["xinpaint_weights_sha256"] == weights.sha256(own)
    again = pickle.loads(pickle.dumps(ready))
    assert again == ready and tokenize(again) == tokenize(ready)
    assert len(pickle.dumps(ready)) < 1000
    assert again.source.net("cpu") is ready.source.net("cpu")


def test_shipped_weights_are_sound_and_small():
    for path in weights.SHIPPED.glob("*.safetensors"):
        found = weights.find(path.stem)
        assert found.net("cpu").training is False
        assert path.stat().st_size < 10_000_000
        told = weights.card(path)
        assert told["licence"] and told["reference"] and told["recipe"]["seed"] is not None


def test_flipped_bit_is_refused(own):
    raw = bytearray(own.read_bytes())
    raw[-1] ^= 1
    own.write_bytes(raw)
    with pytest.raises(WeightsError, match=r"damaged.*sha256"):
        weights.find(own)


def test_changed_after_it_was_chosen(own):
    chosen = weights.find(own)
    own.write_bytes(own.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="changed since"):
        chosen.net("cpu")


def test_nan_weights_are_refused(own):
    state = load_file(own)
    state["head.bias"][0] = np.nan
    save_file(state, own)
    recard(own, sha256=weights.sha256(own))
    with pytest.raises(WeightsError, match=r"NaN.*head\.bias"):
        weights.find(own).net("cpu")


def test_wrong_shape_and_wrong_net_are_refused(own):
    recard(own, numbers={"widths": [16, 8, 8], "shared": [0, 8, 8]})
    with pytest.raises(WeightsError, match="does not fit convcnp"):
        weights.find(own).net("cpu")
    recard(own, net="transformer")
    with pytest.raises(WeightsError, match=r"transformer.*known are"):
        weights.find(own).net("cpu")


def test_pickle_truncated_and_missing_are_refused(own, tmp_path):
    pickled = tmp_path / "net.pt"
    torch.save({}, pickled)
    with pytest.raises(WeightsError, match="pickled weights, are refused"):
        weights.find(pickled)
    own.write_bytes(own.read_bytes()[:100])
    recard(own, sha256=weights.sha256(own))
    with pytest.raises(WeightsError, match="does not fit"):
        weights.find(own).net("cpu")
    with pytest.raises(WeightsError, match=r"no weights 'nowhere'.*convcnp"):
        weights.find("nowhere")
    alone = tmp_path / "alone" / "own.safetensors"
    alone.parent.mkdir()
    shutil.copy(own, alone)
    with pytest.raises(WeightsError, match="no card"):
        weights.find(alone)
    alone.with_suffix(".json").write_text("{")
    with pytest.raises(WeightsError, match="not JSON"):
        weights.find(alone)


def test_unknown_method_option_and_device():
    with pytest.raises(MethodError, match=r"unknown method 'magic'\. There are .*convnp.*telea"):
        weights.filler("magic")
    with pytest.raises(MethodError, match=r"telea.*width"):
        weights.filler("telea", width=3)
    with pytest.raises(DeviceError, match=r"'cuda:99' is not at hand: use 'auto'"):
        weights.filler("convnp", device="cuda:99")
