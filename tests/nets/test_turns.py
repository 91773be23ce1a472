"""Orientations: what a net says of an image does not depend on which side is up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.nets.small import small, write
from xinpaint.core.task import Task
from xinpaint.errors import MethodError, WeightsError
from xinpaint.io import weights
from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convnp import ConvNP
from xinpaint.nets.levels import Levels
from xinpaint.nets.turns import ORIENTATIONS, check_turns, flipped

SPACE = {"widths": (8, 8, 8), "shared": (0, 8, 8), "levels": True, "between": (12, 20)}


def net(kind: str) -> ConvCNP | ConvNP:
    torch.manual_seed(1)
    made = (
        ConvCNP(**SPACE) if kind == "space" else ConvNP(SPACE, width=8, deep=8, shared=8, fine=True)
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


def given(kind: str) -> list[Tensor]:
    """A slope under noise, so that levels matter; with stripes that are not symmetric."""
    maker = torch.Generator().manual_seed(0)
    values = torch.randn(1, 2, 72, 96, generator=maker) + torch.arange(96) / 8
    context = (torch.rand(1, 1, 72, 96, generator=maker) > 0.3).float().repeat(1, 2, 1, 1)
    context[..., 20:26, :50] = 0
    if kind == "space":
        return [values, context]
    others = 2 * values[:, None] + 0.3 * torch.randn(1, 3, 2, 72, 96, generator=maker)
    known = (torch.rand(1, 3, 1, 72, 96, generator=maker) > 0.2).float().repeat(1, 1, 2, 1, 1)
    return [values, context, others, known, torch.tensor([[-16.0, 16.0, 48.0]])]


@pytest.mark.parametrize("kind", ["space", "dates"])
@pytest.mark.parametrize(("turns", "axes"), [(2, (-2, -1)), (4, (-1,)), (4, (-2,)), (4, (-2, -1))])
@torch.inference_mode()
def test_a_turned_image_has_a_turned_answer(kind: str, turns: int, axes: tuple[int, ...]) -> None:
    asked, made = given(kind), net(kind)
    turned = [part.flip(axes) if part.ndim > 3 else part for part in asked]
    for one, two in zip(made(*asked, turns=turns), made(*turned, turns=turns), strict=True):
        torch.testing.assert_close(two.flip(axes), one, rtol=1e-4, atol=1e-4, equal_nan=True)
    lone, other = made(*asked, turns=1)[0], made(*turned, turns=1)[0]
    assert not torch.allclose(other.flip(axes), lone, rtol=1e-2, atol=1e-2, equal_nan=True)


@pytest.mark.parametrize("kind", ["space", "dates"])
@torch.inference_mode()
def test_the_answer_is_the_mean_of_what_each_orientation_says(kind: str) -> None:
    asked, made, said = given(kind), net(kind), []
    for axes in ORIENTATIONS:
        turned = [part.flip(axes) if part.ndim > 3 else part for part in asked]
        said.append(made(*turned, turns=1)[1].flip(axes))
    whole = torch.stack(said).mean(0)
    if kind == "space":  # of dates, the gate sees the mean of space, not each orientation's
        torch.testing.assert_close(made(*asked, turns=4)[1], whole, rtol=1e-4, atol=1e-4)
    made.turns = 4
    if isinstance(made, ConvNP):
        made.spatial.turns = 4
    for one, two in zip(made(*asked), made(*asked, turns=4), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


def test_training_looks_once() -> None:
    made, looks = net("space"), 0
    made.turns = 4
    trunk = made.trunk

    def counted(seen):
        nonlocal looks
        looks += 1
        return trunk(seen)

    made.trunk = counted
    made.train()(*given("space"))
    assert looks == 1
    made.eval()(*given("space"))
    assert looks == 5


def test_slopes_change_their_sign_with_the_side_they_are_seen_from() -> None:
    planes = [torch.full((1, 1, 8, 8), float(k)) for k in range(1, 6)]
    turned = flipped([Levels(*planes), None, torch.tensor([16.0])], (-1,))
    assert [float(plane.mean()) for plane in turned[0]] == [1, -2, 3, 4, 5]
    assert turned[1] is None and turned[2].tolist() == [16]


@pytest.mark.parametrize("turns", [0, 3, 8, True, 2.0])
def test_only_groups_of_orientations(turns: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"use one of \[1, 2, 4\]"):
        check_turns(turns)
    with pytest.raises(MethodError, match=r"turns = .*: use one of \[1, 2, 4\], or leave it out"):
        weights.filler("convnp", turns=turns)
    path = write(tmp_path, "convcnp")
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace('"levels"', f'"turns": {int(turns) + 6}, "levels"', 1))
    with pytest.raises(WeightsError, match="does not fit convcnp: turns = "):
        weights.find(path).net("cpu")


def test_a_net_that_cannot_turn_is_named() -> None:
    with pytest.raises(MethodError, match=r"turns: only .'convcnp', 'convnp'. know it, not 'unet'"):
        weights.filler("unet", **small("unet"), turns=2)


def test_a_filler_turns_as_asked() -> None:
    values, context = (part.numpy() for part in given("space"))
    task = Task(values, context > 0, context == 0)
    said = {}
    for turns in (None, 1, 4):
        asked = {} if turns is None else {"turns": turns}
        filler = weights.filler("convnp", **small("convcnp"), device="cpu", **asked)
        said[turns] = filler.fill(task).mean
        assert filler.attrs.get("xinpaint_turns") == (None if turns is None else str(turns))
    np.testing.assert_array_equal(said[None], said[1])
    assert np.abs(said[4] - said[1])[context == 0].max() > 1e-3
