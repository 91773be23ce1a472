import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xinpaint.core.task import FILLED, NOT_FILLED, OBSERVED, OUTSIDE, Fill, Task, compose
from xinpaint.errors import SchemaError

SHAPE = (1, 2, 4, 5)


def make(context, target, values=None):
    values = np.zeros(SHAPE, np.float32) if values is None else values
    return Task(values, context, target)


@given(
    st.data(),
    st.sampled_from(["uint8", "int8", "int16", "uint16", "int32", "float32", "float64"]),
)
def test_compose_keeps_observed_bits_and_never_makes_nodata(data, dtype):
    dtype = np.dtype(dtype)
    integer = np.issubdtype(dtype, np.integer)
    original = data.draw(hnp.arrays(dtype, SHAPE, elements=hnp.from_dtype(dtype, allow_nan=False)))
    state = data.draw(hnp.arrays(np.uint8, SHAPE, elements=st.integers(0, 2)))
    context, target = state == 1, state == 2
    answer = data.draw(hnp.arrays(np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32)))
    info = np.iinfo(dtype if integer else "u1")
    nodata = data.draw(st.integers(info.min, info.max)) if integer else None
    task = make(context, target)
    got = compose(original, task, Fill(answer, np.ones(SHAPE, np.float32)), nodata=nodata)
    assert got.values.dtype == dtype
    assert got.values[~target].tobytes() == original[~target].tobytes()
    assert (got.provenance[context] == OBSERVED).all()
    assert (got.provenance[target] == FILLED).all()
    assert (got.provenance[state == 0] == OUTSIDE).all()
    assert (got.std[context] == 0).all() and np.isnan(got.std[state == 0]).all()
    if integer:
        info = np.iinfo(dtype)
        assert not (got.values[target] == nodata).any()
        wanted = np.clip(np.rint(answer[target].astype(float)), info.min, info.max)
        assert (np.abs(got.values[target].astype(float) - wanted) <= 1).all()
        assert np.allclose(got.std[target], np.sqrt(1 + 1 / 12))


def test_unanswered_targets_keep_nodata_and_say_so():
    target = np.ones(SHAPE, bool)
    answer = np.full(SHAPE, np.nan, np.float32)
    original = np.full(SHAPE, 7, np.int16)
    got = compose(original, make(~target, target), Fill(answer), nodata=-999)
    assert (got.values == -999).all() and (got.provenance == NOT_FILLED).all()
    floats = compose(original.astype("f4"), make(~target, target), Fill(answer))
    assert np.isnan(floats.values).all()


def test_a_pixel_is_never_context_and_target():
    both = np.ones(SHAPE, bool)
    with pytest.raises(SchemaError, match="context and target"):
        make(both, both)


def test_shapes_are_checked():
    with pytest.raises(SchemaError, match="shape"):
        make(np.ones((1, 2, 4, 4), bool), np.zeros(SHAPE, bool))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize(("dtype", "nodata"), [("float32", None), ("float32", -1), ("int16", -1)])
def test_a_std_that_is_not_finite_is_no_answer(bad, dtype, nodata):
    target = np.zeros(SHAPE, bool)
    target[..., :2] = True
    std = np.ones(SHAPE, np.float32)
    std[..., 0] = bad
    original = np.full(SHAPE, 5, dtype)
    got = compose(
        original, make(~target, target), Fill(np.full(SHAPE, 9.0, "f4"), std), nodata=nodata
    )
    assert (got.provenance[..., 0] == NOT_FILLED).all()
    assert (got.provenance[..., 1] == FILLED).all()
    assert np.isnan(got.std[..., 0]).all()
    if dtype == "int16":
        assert (got.values[..., 0] == -1).all()
    else:
        assert np.isnan(got.values[..., 0]).all()
    assert (got.values[..., 1] == 9).all()
