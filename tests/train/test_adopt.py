"""Weights to begin with: those of the same net, of a poorer one, of the spatial part."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xinpaint.errors import RecipeError
from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convnp import ConvNP
from xinpaint.train.recipe import Recipe
from xinpaint.train.state import adopt, begin


def spatial(levels: bool, shared: tuple[int, int, int] = (0, 8, 8)) -> ConvCNP:
    return ConvCNP((8, 8, 8), shared, levels=levels)


def of_dates(fine: bool) -> ConvNP:
    numbers = {"widths": (8, 8, 8), "shared": (0, 8, 8), "levels": fine}
    return ConvNP(numbers, width=8, deep=8, shared=8, fine=fine)


def with_hints(alike: bool) -> ConvNP:
    numbers = {"widths": (8, 8, 8), "shared": (0, 8, 8)}
    return ConvNP(numbers, width=8, deep=8, shared=8, fine=True, alike=alike, smooth=alike)


def seen(net: nn.Module, *shape: int) -> list[torch.Tensor]:
    """Values and context; of other dates, too, where the net looks at them."""
    maker = torch.Generator().manual_seed(3)
    values = torch.randn(1, 2, *shape, generator=maker)
    context = (torch.rand(1, 1, *shape, generator=maker) > 0.3).float().expand_as(values)
    if isinstance(net, ConvCNP):
        return [values, context]
    others = torch.randn(1, 3, 2, *shape, generator=maker) + values
    known = (torch.rand(1, 3, 1, *shape, generator=maker) > 0.2).float().expand_as(others)
    return [values, context, others, known, torch.tensor([[-16.0, 16, 32]])]


@pytest.mark.parametrize("kind", [spatial, of_dates, with_hints])
def test_a_richer_net_begins_where_the_poorer_one_stood(kind) -> None:
    torch.manual_seed(0)
    poor, rich = kind(False), kind(True)
    with torch.no_grad():
        for parameter in poor.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    adopt(rich, poor)
    given = seen(poor, 96, 96)
    with torch.inference_mode():
        (mean, std), (same, wider) = poor.eval()(*given), rich.eval()(*given)
    torch.testing.assert_close(same, mean, rtol=1e-4, atol=1e-5)
    inner = (..., slice(24, 72), slice(24, 72))  # at the rim there is little to go by
    torch.testing.assert_close(wider[inner], std[inner], rtol=1e-4, atol=1e-5)
    assert (wider >= std - 1e-5).all()


def test_a_wider_shared_branch_begins_where_the_narrower_one_stood_and_learns() -> None:
    torch.manual_seed(0)
    narrow, wide = spatial(True), spatial(True, (12, 16, 24))
    adopt(wide, narrow)
    given = seen(narrow, 96, 96)
    with torch.inference_mode():
        told, same = narrow.eval()(*given), wide.eval()(*given)
    torch.testing.assert_close(same, told, rtol=1e-4, atol=1e-5)
    wide.train()(*given)[0].sum().backward()
    for block, before in ((wide.enter0, 0), (wide.enter1, 8), (wide.deep, 8)):
        assert block.spread is not None and block.spread.weight.grad is not None
        assert block.spread.weight.grad[:, before:].abs().max() > 0


def test_a_poorer_net_says_which_layers_it_lacks() -> None:
    with pytest.raises(RecipeError, match=r"layers \['rich.*this net lacks"):
        adopt(spatial(False), spatial(True))


@pytest.mark.parametrize(
    ("net", "key", "said"),
    [
        ("convnp", "start", "start = 'convcnp' is a ConvCNP; wanted weights of a ConvNP"),
        ("unet", "start", "start = 'convcnp' is a ConvCNP; wanted weights of a UNet"),
        ("convnp", "spatial", "spatial = 'convnp' is a ConvNP; wanted weights of a ConvCNP"),
        ("unet", "spatial", "spatial: net = 'unet' has no spatial part"),
    ],
)
def test_weights_of_another_kind_are_refused(net: str, key: str, said: str) -> None:
    other = "convnp" if said.startswith("spatial = ") else "convcnp"
    with pytest.raises(RecipeError, match=said):
        begin(Recipe("mine", ("held",), net=net, **{key: other}), "cpu")
