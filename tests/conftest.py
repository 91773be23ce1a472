"""What every test shares: the data folder, one torch thread, the same examples on every run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("house", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("house")

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real scenes; tests that need it are skipped where there is none."""
    folder = os.environ.get("XINPAINT_DATA", "")
    if not folder:
        pytest.skip("XINPAINT_DATA is not set: the folder of real Landsat scenes is not at hand")
    path = Path(folder)
    assert path.is_dir(), f"XINPAINT_DATA={folder} is not a folder"
    return path


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Keep parallel test workers from crowding the cores; never imports torch by itself."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
