import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.core.stripes import slc_gaps
from xinpaint.errors import MethodError


@pytest.mark.parametrize("seed", range(5))
def test_stripes_grow_from_nadir_to_the_scan_edge(seed):
    share = [masks.scan_lines((256, 256), seed=seed, position=p).mean() for p in (0, 0.5, 1)]
    assert share[0] < 0.05
    assert share[0] < share[1] < share[2]
    assert 0.3 < share[2] < 0.48


def test_stripes_have_the_period_of_two_scans():
    gap = masks.scan_lines((400, 8), seed=3, position=1.0)[:, 0]
    starts = np.flatnonzero(gap[1:] & ~gap[:-1])
    runs = np.diff(starts)
    assert 30 <= np.median(runs) <= 43


@pytest.mark.parametrize("fraction", [0.05, 0.3])
def test_clouds_cover_what_was_asked(fraction):
    assert abs(masks.clouds((128, 128), seed=1, fraction=fraction).mean() - fraction) < 0.01


@pytest.mark.parametrize("fraction", [-0.1, 1.5, np.nan])
def test_a_share_of_clouds_that_is_none_is_refused(fraction):
    with pytest.raises(MethodError, match=r"fraction = .*from 0 to 1"):
        masks.clouds((16, 16), seed=1, fraction=fraction)


@pytest.mark.parametrize(
    "bank", [np.ones((8, 8), bool), np.ones((0, 8, 8), bool), np.ones((2, 8, 8))]
)
def test_what_is_no_bank_is_refused(bank):
    with pytest.raises(MethodError, match=r"found .*; wanted bool \[n y x\]"):
        masks.transplant(bank, (8, 8), seed=1)


def test_what_is_no_mask_is_refused():
    with pytest.raises(MethodError, match=r"found bool \[2, 8, 8\]; wanted bool \[y x\]"):
        slc_gaps(np.ones((2, 8, 8), bool))


def test_same_seed_same_mask():
    bank = np.random.default_rng(0).random((5, 40, 40)) < 0.3
    for make in (masks.scan_lines, masks.clouds):
        assert (make((50, 60), seed=4) == make((50, 60), seed=4)).all()
        assert (make((50, 60), seed=4) != make((50, 60), seed=5)).any()
    assert (
        masks.transplant(bank, (30, 70), seed=1) == masks.transplant(bank, (30, 70), seed=1)
    ).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_transplant_fits_any_shape_and_is_a_piece_of_the_bank(y, x, seed):
    bank = np.zeros((2, 32, 32), bool)
    bank[0, ::4] = bank[1, ::4] = True
    gap = masks.transplant(bank, (y, x), seed=seed)
    assert gap.shape == (y, x)
    assert (gap == gap[:, :1]).all()


def slow_surrounded(context, reach):
    out = np.zeros_like(context)
    height, width = context.shape
    for y in range(height):
        for x in range(width):
            r = max(height, width) if reach is None else reach
            sides = (
                context[max(0, y - r) : y, x].any(),
                context[y + 1 : y + 1 + r, x].any(),
                context[y, max(0, x - r) : x].any(),
                context[y, x + 1 : x + 1 + r].any(),
            )
            out[y, x] = sum(sides) >= 3
    return out


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
def test_surrounded_is_what_it_says(context, data):
    reach = data.draw(st.none() | st.integers(1, 6))
    assert (masks.surrounded(context, reach) == slow_surrounded(context, reach)).all()
    stacked = np.stack([context, context])
    assert (masks.surrounded(stacked, reach)[1] == slow_surrounded(context, reach)).all()


def test_the_land_beside_a_slanting_swath_stays_outside():
    rows, cols = np.mgrid[0:200, 0:200]
    swath = cols > 80 + 0.17 * rows
    assert not (masks.surrounded(swath, 64) & ~swath).any()


def test_a_stripe_across_the_whole_image_lies_between():
    rows = np.ones((64, 64), bool)
    rows[20:25] = rows[40:42] = False
    for seen in (rows, rows.T):
        assert masks.between(seen, 64).all(axis=None, where=~seen)
        assert not masks.surrounded(seen, 64)[~seen].any()
    rows[:3] = False
    assert not masks.between(rows, 64)[:3].any()


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
def test_what_is_surrounded_lies_between(context, data):
    reach = data.draw(st.none() | st.integers(1, 6))
    assert not (masks.surrounded(context, reach) & ~masks.between(context, reach)).any()


def striped(seed, position):
    """Stripes, clouds apart from them, a slanting swath edge and lone drop-outs."""
    shape = (300, 320)
    stripes = masks.scan_lines(shape, seed=seed, position=position)
    clouds = masks.clouds(shape, seed=seed, fraction=0.15)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    outside = cols < 40 + 0.15 * rows
    drops = np.random.default_rng(seed).random(shape) < 0.001
    return stripes, clouds, outside, drops


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("position", [0.4, 0.7, 1.0])
def test_slc_gaps_are_told_from_clouds_and_the_swath_edge(seed, position):
    stripes, clouds, outside, drops = striped(seed, position)
    alone = slc_gaps(stripes | outside)
    inside = stripes & ~outside
    assert not (alone & ~(stripes | outside)).any()
    assert alone[inside].mean() > 0.93
    assert alone[outside].mean() < 0.08
    assert slc_gaps(clouds | outside | drops).mean() < 0.02
    found = slc_gaps(stripes | clouds | outside | drops)
    apart = inside & ~ndimage.binary_dilation(clouds, iterations=3)
    assert found[apart].mean() > 0.8
    assert found[clouds & ~stripes & ~outside].mean() < 0.25


def test_no_slc_gap_in_what_is_whole_or_empty():
    assert not slc_gaps(np.zeros((40, 50), bool)).any()
    assert not slc_gaps(np.ones((40, 50), bool)).any()
    assert not slc_gaps(np.ones((1, 1), bool)).any()
    half = np.zeros((80, 80), bool)
    half[:, 40:] = True
    assert not slc_gaps(half).any()


def test_slc_gaps_of_a_real_scene(data_dir):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(data_dir / "slc_off" / "etm_colombia_20161209_pixel_qa.tif") as image:
        quality = image.read(1)
    fill, cloud = quality == 1, (quality & 0b101000) != 0
    between = fill & masks.surrounded(~fill, 40)
    found = slc_gaps(fill)
    assert found[between].mean() > 0.95
    assert not found[ndimage.distance_transform_edt(fill) > 20].any()
    assert slc_gaps(fill | cloud)[cloud & ~fill].mean() < 0.02
