"""What every net of space must hold: reach, units, bands, leaks, no statistic over a batch."""

import pytest
import torch

from xinpaint.core.noise import gaussian
from xinpaint.nets.convlnp import ConvLNP
from xinpaint.nets.ongrid import OnGridConvCNP
from xinpaint.nets.partialconv import PartialConv
from xinpaint.nets.unet import UNet

MAKE = {
    "ongrid": lambda: OnGridConvCNP(8, 2, 9, 8),
    "convlnp": lambda: ConvLNP((8, 8), 8, 4),
    "convlnp-all": lambda: ConvLNP((8, 8), 8, 4, levels=True, between=(12, 20), direct=True),
    "unet": lambda: UNet((8, 8, 8, 8), 8),
    "partialconv": lambda: PartialConv((8, 8, 8, 8), 8),
}


@pytest.fixture(scope="module", params=MAKE)
def net(request):
    torch.manual_seed(0)
    made = MAKE[request.param]().eval().requires_grad_(False)
    for p in made.parameters():  # every path must carry something, or a reach test proves nothing
        p.add_(0.05 * torch.randn_like(p))
    for b in made.buffers():  # running statistics of their own
        if b.ndim:
            b.add_(0.1 * torch.rand_like(b))
    return made


def cube(bands=2, side=48, seed=0, images=1):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(images, bands, side, side, generator=generator)
    context = (torch.rand(images, bands, side, side, generator=generator) > 0.4).float()
    return values, context


def ask(net, values, context):
    """The net's answer; a latent net's draws are the same for the same place."""
    if not isinstance(net, ConvLNP):
        mean, std = net(values, context)
        return mean, std.nan_to_num()
    cells = (net.latents, values.shape[2] // 2, values.shape[3] // 2)
    noise = torch.from_numpy(gaussian((0,), cells, (0, 0)))[None, None]
    return net(values, context, noise.expand(3, len(values), *noise.shape[2:]))


@pytest.mark.parametrize("place", [(80, 80), (79, 87)])
def test_reach_is_what_the_net_says(net, place):
    assert net.reach <= 64
    values, context = cube(side=160)
    mean, _ = ask(net, values, context)
    inside = torch.zeros_like(values, dtype=torch.bool)
    y, x = place
    inside[..., y - net.reach : y + net.reach + 1, x - net.reach : x + net.reach + 1] = True
    other, _ = ask(net, torch.where(inside, values, values + 5), context)
    torch.testing.assert_close(other[..., y, x], mean[..., y, x], rtol=1e-5, atol=1e-5)
    near = values.clone()
    near[..., y, x + 10] += 5
    seen = context.clone()
    seen[..., y, x + 10] = 1
    assert not torch.allclose(ask(net, near, seen)[0][..., y, x], mean[..., y, x], atol=1e-5)


def test_the_trunk_stays_within_the_reach(net):
    """Changed far away, locally standardised values must not come through the convolutions."""
    values, context = cube(side=160)
    gradient = values.clone().requires_grad_(True)
    ask(net, gradient, context)[0][0, 0, 80, 80].backward()
    felt = gradient.grad[0].abs().amax(0) > 1e-7
    rows = felt.any(1).nonzero()
    assert 80 - int(rows.min()) <= 64
    assert int(rows.max()) - 80 <= 64


def test_units_do_not_matter(net):
    values, context = cube()
    mean, std = ask(net, values, context)
    for gain, offset in ((1e-4, 0.0), (37.0, 1200.0), (2.75e-5, -0.2)):
        other_mean, other_std = ask(net, gain * values + offset, context)
        torch.testing.assert_close(other_mean, gain * mean + offset, rtol=1e-3, atol=3e-3 * gain)
        torch.testing.assert_close(other_std, gain * std, rtol=3e-3, atol=0)


def test_bands_in_any_order_give_the_same_answers(net):
    values, context = cube(4)
    order = [2, 0, 3, 1]
    mean, std = ask(net, values, context)
    other = ask(net, values[:, order], context[:, order])
    torch.testing.assert_close(other[0], mean[:, order], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(other[1], std[:, order], rtol=1e-3, atol=1e-4)


def test_an_image_is_answered_as_it_is_alone(net):
    values, context = cube(images=3)
    mean, _ = ask(net, values, context)
    torch.testing.assert_close(
        ask(net, values[1:2], context[1:2])[0], mean[1:2], rtol=1e-4, atol=1e-5
    )


def test_constant_in_constant_out_and_nothing_from_nothing(net):
    _, context = cube()
    mean, _ = ask(net, torch.full_like(context, 1e4), context)
    torch.testing.assert_close(mean, torch.full_like(mean, 1e4), rtol=1e-6, atol=0)
    assert ask(net, context, torch.zeros_like(context))[0].isnan().all()


def test_what_lies_outside_the_context_is_not_read(net):
    values, context = cube()
    lie = torch.where(context > 0, values, torch.full_like(values, float("nan")))
    assert torch.equal(ask(net, lie, context)[0], ask(net, values, context)[0])


def test_draws_differ_and_their_moments_are_the_answer():
    torch.manual_seed(1)
    net = ConvLNP((8, 8), 8, 4).eval().requires_grad_(False)
    values, context = cube()
    noise = torch.randn(5, 1, 4, 24, 24)
    means, stds = net.samples(values, context, noise)
    assert not torch.equal(means[0], means[1])
    mean, std = net(values, context, noise)
    torch.testing.assert_close(mean, means.mean(0), rtol=1e-4, atol=1e-5)
    whole = means.var(0, unbiased=False) + (stds**2).mean(0)
    torch.testing.assert_close(std, whole.sqrt(), rtol=1e-4, atol=1e-5)
