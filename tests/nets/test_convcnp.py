import pytest
import torch

from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.frame import standardise
from xinpaint.nets.setconv import SetConv, local_density, local_statistics, window_sum

ALL = {"levels": True, "between": (12, 20)}


@pytest.fixture(scope="module", params=[{}, ALL, ALL | {"turns": 4}], ids=["plain", "all", "turns"])
def net(request):
    torch.manual_seed(0)
    made = ConvCNP((8, 8, 8), (0, 8, 8), **request.param).eval().requires_grad_(False)
    for p in made.parameters():  # every path must carry something, or a reach test proves nothing
        p.add_(0.05 * torch.randn_like(p))
    return made


def cube(bands=2, side=160, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(1, bands, side, side, generator=generator)
    context = (torch.rand(1, bands, side, side, generator=generator) > 0.4).float()
    return values, context


@pytest.mark.parametrize("place", [(80, 80), (79, 87), (83, 72)])
def test_reach_is_what_the_net_says(net, place):
    values, context = cube()
    mean, _ = net(values, context)
    far = values.clone()
    y, x = place
    inside = torch.zeros_like(far, dtype=torch.bool)
    inside[
        ..., max(0, y - net.reach) : y + net.reach + 1, max(0, x - net.reach) : x + net.reach + 1
    ] = True
    far[~inside] += 5
    other = net(far, context * 1.0)
    assert torch.allclose(other[0][..., y, x], mean[..., y, x], rtol=1e-5, atol=1e-5)
    near = values.clone()
    near[..., y, x + 16] += 5
    near_context = context.clone()
    near_context[..., y, x + 16] = 1
    assert not torch.allclose(net(near, near_context)[0][..., y, x], mean[..., y, x], atol=1e-5)


def test_bands_in_any_order_give_the_same_answers(net):
    values, context = cube(4, 48)
    order = [2, 0, 3, 1]
    mean, std = net(values, context)
    other = net(values[:, order], context[:, order])
    assert torch.allclose(other[0], mean[:, order], rtol=1e-3, atol=1e-4)
    assert torch.allclose(other[1], std[:, order], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(1e-4, 0.0), (37.0, 1200.0), (2.75e-5, -0.2)])
def test_units_do_not_matter(net, gain, offset):
    values, context = cube(2, 48)
    mean, std = net(values, context)
    other_mean, other_std = net(gain * values + offset, context)
    assert torch.allclose(other_mean, gain * mean + offset, rtol=1e-3, atol=2e-3 * gain)
    assert torch.allclose(other_std, gain * std, rtol=2e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, 10000.0, 0.123, -7e5])
def test_constant_in_constant_out(net, level):
    _, context = cube(2, 48)
    mean, std = net(torch.full_like(context, level), context)
    assert torch.allclose(mean, torch.full_like(mean, level), rtol=1e-6, atol=0)
    assert (std == 0).all()


def test_what_lies_outside_the_context_is_not_read(net):
    values, context = cube(2, 48)
    lie = torch.where(context > 0, values, torch.full_like(values, float("nan")))
    assert all(
        torch.equal(a, b) for a, b in zip(net(lie, context), net(values, context), strict=True)
    )


def test_no_context_is_no_answer(net):
    values, context = cube(1, 48)
    mean, std = net(values, torch.zeros_like(context))
    assert mean.isnan().all() and std.isnan().all()


@pytest.mark.parametrize("radius", [6, 20])
def test_window_sum_is_two_boxes(radius):
    x = torch.zeros(1, 1, 101, 101)
    x[..., 50, 50] = 1.0
    got = window_sum(x, radius)
    size = 2 * radius + 1
    assert got[0, 0, 50, 50] == pytest.approx(size**2)
    assert got.sum() == pytest.approx(float(size**4), rel=1e-5)
    assert (got[0, 0, 50 + 2 * radius + 1 :] == 0).all() and got[0, 0, 50 + 2 * radius, 50] > 0


def test_local_statistics_are_those_of_the_context():
    values, context = cube(1, 40)
    density = local_density(context, 20)
    mean, spread = local_statistics(values * context, density, 20)
    weight = window_sum(torch.ones(1, 1, 40, 40) * 0 + context, 20)
    assert torch.allclose(density, weight)
    assert mean[0, 0, 20, 20] == pytest.approx(0, abs=0.2)
    assert spread[0, 0, 20, 20] == pytest.approx(1, abs=0.15)


def test_set_convolution_divides_by_density():
    layer = SetConv(5)
    context = (torch.rand(1, 1, 20, 20) > 0.5).float()
    signal, density = layer(3.0 * context, context)
    assert torch.allclose(signal[density > 0], torch.tensor(3.0), atol=1e-5)


def test_levels_say_how_two_sides_of_a_gap_differ():
    rows = torch.linspace(0, 1, 96)[:, None].expand(96, 96)
    values = (rows + 0.01 * torch.randn(96, 96, generator=torch.Generator().manual_seed(0)))[None]
    context = torch.ones(1, 1, 96, 96)
    context[..., 44:52, :] = 0
    found = standardise(values[None] * context, context, levels=True).levels
    inside = (slice(None), slice(None), slice(24, 72), slice(24, 72))
    assert (found.known[inside] == 1).all()
    assert found.down[inside].min() > 0.2, "it rises downwards, across the gap, too"
    assert found.across[inside].abs().max() < found.down[inside].min()
    assert (found.ratio[inside] > 1).all(), "over a slope the spread grows with the window"
    above = found.above[..., 24:72]
    assert above[..., 8:24, :].mean() > 0.1 and above[..., -24:-8, :].mean() < -0.1


def test_answers_have_no_edge_where_the_near_window_ends():
    rows = torch.arange(160.0)[:, None].expand(160, 160)
    values = (rows + torch.randn(160, 160, generator=torch.Generator().manual_seed(0)))[None, None]
    context = torch.ones_like(values)
    context[..., 60:100, :] = 0
    ends = slice(60 + 2 * 6 - 1, 60 + 2 * 6 + 1)
    for between, smooth in (((), False), ((12, 20), True)):
        frame = standardise(values * context, context, between=between)
        jump = [float(x[0, 0, ends, 80].diff().abs()) for x in (frame.mean, frame.spread)]
        assert (jump[0] < 3) == smooth, "the gap rises by 40"
        assert (jump[1] < 10) == smooth


@pytest.mark.parametrize("numbers", [{}, ALL], ids=["plain", "all"])
def test_gradients_are_finite_where_no_context_is_in_reach(numbers):
    learner = ConvCNP((8, 8, 8), (0, 8, 8), **numbers)
    values, context = cube(1, 160)
    context[..., :, 8:] = 0
    mean, std = learner(values, context)
    known = mean.isfinite()
    assert not known.all()
    (mean.nan_to_num() + std.nan_to_num()).sum().backward()
    assert all(p.grad.isfinite().all() for p in learner.parameters())
