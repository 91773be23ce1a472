import numpy as np
import pytest

from xinpaint.core import masks
from xinpaint.water import years
from xinpaint.water.counts import PERMANENT, SEASONAL
from xinpaint.water.extent import NO_DATA, NOT_WATER, WATER
from xinpaint.water.years import Scene, own_water, water_spectra, water_year

SIDE = 64
BANK = np.stack([masks.scan_lines((96, 96), seed=k, position=0.8) for k in range(3)])


def scene(lake: bool = False) -> Scene:
    rng = np.random.default_rng(0)
    land = np.array([0.08, 0.25, 0.2])[:, None, None] * rng.uniform(0.8, 1.2, (3, SIDE, SIDE))
    if lake:
        land[:, 4:24, 4:24] = np.array([0.04, 0.02, 0.01])[:, None, None]
    valid = np.ones((SIDE, SIDE), bool)
    valid[-3:] = False
    values = land.astype(np.float32)
    return Scene("made up", values, valid, own_water(values, valid))


def shores() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((y - 40) ** 2 + (x - 40) ** 2 < 14**2) | ((y - 12) ** 2 + (x - 50) ** 2 < 6**2)


def draw(seed: int, lake: bool = False, **options: object) -> years.WaterYear:
    here = scene(lake)
    rng = np.random.default_rng(seed)
    return water_year(here, shores(), water_spectra([here]), BANK, rng, **options)


def test_a_year_has_its_shapes_and_is_the_same_again():
    one, two = draw(3), draw(3)
    assert one.images.shape == (3, 3, SIDE, SIDE) and one.images.dtype == np.float32
    assert one.seen.shape == (3, SIDE, SIDE) and one.label.shape == (SIDE, SIDE)
    for part in ("images", "seen", "label"):
        np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
    assert (draw(4).label != one.label).any()
    assert draw(3, months=12).images.shape[0] == 12


def test_all_classes_come_up_and_what_is_not_valid_has_no_label():
    labels = np.stack([draw(k).label for k in range(12)])
    shares = [(labels == code).mean() for code in (NOT_WATER, SEASONAL, PERMANENT)]
    assert min(shares) > 0.02
    assert (labels[:, -3:] == NO_DATA).all()
    assert (labels[:, :-3] != NO_DATA).all()


def test_the_label_is_the_year_not_the_months_shown():
    """Water shown in every month may be seasonal; what is permanent is water in every month."""
    hidden = 0
    for seed in range(12):
        made = draw(seed, months=3)
        red, swir = made.images[:, 0], made.images[:, 2]
        always = (red > swir + 0.01).all(0) & (made.label != NO_DATA)
        hidden += (made.label[always] == SEASONAL).sum()
    assert hidden > 50


def test_over_twelve_months_images_and_label_agree():
    """Where all months are shown, an index on them finds nearly what the levels said."""
    right = total = 0
    for seed in range(6):
        made = draw(seed, months=12)
        wet = ((made.images[:, 0] - made.images[:, 2]) > 0).sum(0)
        found = np.where(wet == 0, NOT_WATER, np.where(wet == 12, PERMANENT, SEASONAL))
        known = made.label != NO_DATA
        right += (found == made.label)[known].sum()
        total += known.sum()
    assert right / total > 0.85


def test_own_water_stays_and_its_shore_is_unsure():
    here = scene(lake=True)
    assert (here.water[7:21, 7:21] == WATER).all()
    assert here.water[4, 10] == NO_DATA and here.water[-1, 0] == NO_DATA
    assert (here.water[30:60, 30:60] == NOT_WATER).all()
    made = draw(1, lake=True)
    assert (made.label[7:21, 7:21] == PERMANENT).all()


@pytest.mark.parametrize("cloud", [0.0, 0.3])
def test_gaps_are_real_ones_and_as_much_cloud_as_asked(cloud):
    seen = np.stack([draw(k, cloud=cloud).seen[:, :-3] for k in range(8)])
    stripes = BANK.mean()
    assert 1 - seen.mean() == pytest.approx(1 - (1 - stripes) * (1 - cloud), abs=0.06)


def test_spectra_for_scenes_without_water():
    assert water_spectra([scene()]).shape == (3, 3)
    assert len(water_spectra([scene(lake=True)])) > 100
