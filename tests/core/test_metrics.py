import numpy as np
import pytest
from scipy import integrate, stats
from skimage.metrics import structural_similarity

from xinpaint.core import metrics
from xinpaint.core.intervals import DEGREES, SCALE, half_width
from xinpaint.errors import MethodError

rng = np.random.default_rng(0)


def test_psnr_and_mae_of_a_known_error():
    truth = np.zeros((4, 4))
    where = np.eye(4, dtype=bool)
    mean = np.where(where, 0.1, 9.0)
    assert metrics.psnr(truth, mean, where) == pytest.approx(20)
    assert metrics.mae(truth, mean, where) == pytest.approx(0.1)
    assert np.isnan(metrics.psnr(truth, mean, np.zeros_like(where)))


def test_ssim_agrees_with_scikit_image():
    a = rng.random((64, 48))
    b = a + 0.1 * rng.normal(size=a.shape)
    _, full = structural_similarity(
        a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert metrics.ssim(a, b) == pytest.approx(full.mean(), abs=2e-3)
    assert metrics.ssim(a, a) == pytest.approx(1)


def test_crps_is_the_integral():
    truth, mean, std = 0.3, 0.1, 0.25

    def inner(x):
        return (stats.t.cdf(x, DEGREES, mean, SCALE * std) - (x >= truth)) ** 2

    want = integrate.quad(inner, -99, truth)[0] + integrate.quad(inner, truth, 99)[0]
    one = np.ones(1, bool)
    got = metrics.crps(np.array([truth]), np.array([mean]), np.array([std]), one)
    assert got == pytest.approx(want, rel=1e-5)
    exact = metrics.crps(np.array([truth]), np.array([mean]), np.zeros(1), one)
    assert exact == pytest.approx(0.2)


@pytest.mark.parametrize("level", [0.25, 0.5, 0.9, 0.99])
def test_coverage_of_errors_as_they_are_meant(level):
    truth = SCALE * rng.standard_t(DEGREES, size=20000)
    everywhere = np.ones(truth.shape, bool)
    got = metrics.coverage(truth, np.zeros(20000), np.ones(20000), everywhere, level)
    assert got == pytest.approx(level, abs=0.01)


def test_nine_tenths_lie_where_a_gaussian_has_them():
    assert half_width(0.9) == pytest.approx(stats.norm.ppf(0.95))
    assert half_width(0.5) < stats.norm.ppf(0.75)
    assert half_width(0.95) > stats.norm.ppf(0.975)


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, "0.9", True, np.nan])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(MethodError, match="between 0 and 1"):
        half_width(level)


def test_stretch_is_robust_and_never_empty():
    values = np.r_[np.linspace(0, 100, 101), 1e9]
    lo, hi = metrics.stretch(values, values < 1e8)
    assert (lo, hi) == pytest.approx((1, 99))
    assert metrics.stretch(np.full(5, 3), np.ones(5, bool)) == (3, 4)
