"""A million blocks cost a driver next to nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.scale import million

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
#: Whatever a local cluster says of ports and timers.
heard = pytest.mark.filterwarnings("ignore")


def test_a_million_blocks(tmp_path: Path) -> None:
    took = million.written_down(tmp_path)
    print({name: f"{1000 * seconds:.3g} ms" for name, seconds in took.items()})
    assert took["scan"] <= 1
    assert took["flush"] <= 0.1
    assert took["drive"] <= 0.01


def execute(tmp_path: Path, blocks: int) -> tuple[float, float]:
    """Execute some of a million blocks on a cluster; driver s a block, growth in bytes."""
    pytest.importorskip("distributed")
    told = million.executed(tmp_path, blocks)
    print(
        f"{blocks} of 1,000,000 blocks executed: driver {1000 * told['driver']:.2f} ms a block, "
        f"with client and scheduler {1000 * told['process']:.2f} ms, which grew by "
        f"{told['growth'] / 1e6:.1f} MB; {1000 * told['wall']:.2f} ms by the wall's clock"
    )
    return told["driver"], told["growth"]


@heard
def test_a_few_of_a_million_are_executed(tmp_path: Path) -> None:
    driver, growth = execute(tmp_path, 200)
    assert driver <= 0.05
    assert growth <= 50e6


@pytest.mark.slow
@heard
def test_20000_of_a_million_are_executed(tmp_path: Path) -> None:
    driver, growth = execute(tmp_path, 20_000)
    assert driver <= 0.01
    assert growth <= 20e6


@pytest.mark.slow
def test_ten_thousand_blocks_lazily(tmp_path: Path) -> None:
    seconds, size = million.lazily(tmp_path)
    print(f"lazy, 10,000 blocks: graph {seconds:.1f} s, client {size / 1e6:.0f} MB")
    assert seconds <= 30
    assert size <= 700e6
