"""The 3-D U-Net with weights as they fall: what must hold before any training."""

from __future__ import annotations

import pytest
import torch

from xinpaint.nets.unet3d import UNet3D, Volume


@pytest.fixture(scope="module")
def net() -> UNet3D:
    torch.manual_seed(0)
    made = UNet3D((8, 8, 8))
    made.shift.copy_(torch.tensor([0.0, 0.5, -0.5]))
    return made.eval()


def drawn(months: int = 3, side: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    maker = torch.Generator().manual_seed(seed)
    values = torch.rand(2, months, 3, side, side, generator=maker)
    seen = (torch.rand(2, months, 1, side, side, generator=maker) > 0.3).float()
    return values, seen.expand_as(values)


@pytest.mark.parametrize("months", [1, 3, 5, 12])
def test_any_number_of_months(net: UNet3D, months: int) -> None:
    assert net(*drawn(months)).shape == (2, 3, 64, 64)


def test_a_flat_convolution_of_three_dates_is_a_convolution_of_a_volume() -> None:
    torch.manual_seed(1)
    layer = Volume(4)
    x = torch.rand(2, 5, 4, 12, 12)
    kernel = layer.flat.weight.unflatten(1, (3, 4)).transpose(1, 2)  # out, in, 3 dates, 3, 3
    wanted = torch.nn.functional.conv3d(x.transpose(1, 2), kernel, layer.flat.bias, padding=1)
    made = layer(x.flatten(0, 1), 5).unflatten(0, (2, 5)).transpose(1, 2)
    torch.testing.assert_close(made, wanted)


def test_what_was_not_seen_does_not_matter(net: UNet3D) -> None:
    values, seen = drawn()
    torch.testing.assert_close(
        net(values, seen), net(torch.where(seen > 0, values, 9.0), seen), rtol=0, atol=0
    )
    one_band = seen.clone()
    one_band[:, :, 1] = 0  # a pixel is seen where all bands are
    torch.testing.assert_close(net(values, one_band), net(values, torch.zeros_like(seen)))


def test_nothing_beyond_the_reach_matters(net: UNet3D) -> None:
    assert net.reach <= 48
    values, seen = drawn(side=128)
    far = values.clone()
    far[..., :8, :] = 1.0
    near = slice(8 + net.reach, None)
    torch.testing.assert_close(
        net(values, seen)[..., near, :], net(far, seen)[..., near, :], rtol=0, atol=1e-5
    )
    assert (net(values, seen) - net(far, seen))[..., :24, :].abs().max() > 1e-4


def test_the_batch_does_not_matter(net: UNet3D) -> None:
    values, seen = drawn()
    torch.testing.assert_close(net(values, seen)[:1], net(values[:1], seen[:1]))


def test_gradients_are_finite_where_nothing_was_seen(net: UNet3D) -> None:
    values, seen = drawn()
    net.train()
    net(values, torch.zeros_like(seen)).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
    net.zero_grad()
    net.eval()
