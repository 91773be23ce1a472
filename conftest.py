"""Names that every docstring example has at hand, as a reader has after the usual imports."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xinpaint


@pytest.fixture(autouse=True)
def _usual_imports(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update({"np": np, "xr": xr, "xinpaint": xinpaint})
