"""The benchmark of water: cases from scenes, honest scores, readable tables."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.water import report, scoring
from benchmarks.water.cases import Case
from benchmarks.water.speed import cube
from tests.water.test_years import BANK, scene, shores
from xinpaint.core.task import Fill
from xinpaint.water.years import water_spectra, water_year


class Knows:
    """A net that knows the answer, and is as sure as it says."""

    def __init__(self, label, sure=0.9):
        rng = np.random.default_rng(0)
        wrong = rng.random(label.shape) > sure
        answer = np.where(wrong, (label + 1) % 3, np.minimum(label, 2)).astype(int)
        self.p = np.full((3, *label.shape), (1 - sure) / 2, np.float32)
        np.put_along_axis(self.p, answer[None], sure, 0)

    def classify(self, task):
        self.task = task
        return self.p


class Zero:
    def fill(self, task):
        return Fill(np.where(task.target, np.float32(0.5), np.float32(np.nan)))


@pytest.fixture(scope="module")
def case():
    here, rng = scene(lake=True), np.random.default_rng(1)
    year = water_year(here, shores(), water_spectra([here]), BANK, rng, cloud=0.3)
    return Case("made up", 0.3, year)


def test_what_each_way_shows_the_net(case):
    net = Knows(case.year.label)
    shown = {}
    for fill in (scoring.NO_FILL, "zero", scoring.TRUTH):
        values, context = scoring._months(case, fill, {"zero": Zero()})
        shown[fill] = values, context
    seen = np.broadcast_to(case.year.seen[:, None], case.year.images.shape)
    np.testing.assert_array_equal(shown[scoring.NO_FILL][1], seen)
    assert (shown[scoring.NO_FILL][0][~seen] == 0).all()
    assert shown["zero"][1].all() and (shown["zero"][0][~seen] == 0.5).all()
    np.testing.assert_array_equal(shown["zero"][0][seen], case.year.images[seen])
    np.testing.assert_array_equal(shown[scoring.TRUTH][0], case.year.images)
    rows = scoring.score(case, {"zero": Zero()}, net)
    assert [(r.fill, r.teller) for r in rows[:3]] == [
        ("no fill", "unet3d"),
        ("no fill", "count"),
        ("zero", "unet3d"),
    ]
    assert rows[0].table.sum() == (case.year.label != 255).sum()
    seen_once = case.year.seen.any(0) & (case.year.label != 255)
    assert rows[0].seen_table.sum() == seen_once.sum() < rows[0].table.sum()


def test_counting_misses_what_nobody_saw(case):
    rows = scoring.score(case, {}, Knows(case.year.label))
    count = next(r for r in rows if r.teller == "count" and r.fill == scoring.NO_FILL)
    never = ~case.year.seen.any(0) & (case.year.label != 255)
    assert count.table[:, 3].sum() == never.sum() > 0
    assert count.seen_table[:, 3].sum() == 0


def test_tables(case):
    rows = scoring.score(case, {"zero": Zero()}, Knows(case.year.label))
    told = report.page(rows, "f" * 64, 1)
    assert "{" not in told and "`ffffffffffff`" in told
    lines = told.splitlines()
    assert sum(line.startswith("| zero |") for line in lines) == 3
    assert sum(line.startswith("| **mean** |") for line in lines) == 1
    error = next(line for line in lines if line.startswith("| the truth |") and len(line) < 30)
    assert float(error.split("|")[2]) < 0.05


def test_measures_by_hand():
    table = np.array([[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0]])
    row = SimpleNamespace(scene="a", cloud=0.0, table=table, seen_table=table)
    other = SimpleNamespace(scene="b", cloud=0.0, table=np.eye(3, 4, dtype=int), seen_table=table)
    assert report.mean_iou(table) == pytest.approx(2 / 3)
    assert report.by_scene([row, row], report.mean_iou) == pytest.approx(2 / 3)
    assert report.by_scene([row, other], report.mean_iou) == pytest.approx(5 / 6)
    assert report.by_scene([row, other], report.iou_of(1), seen=True) == pytest.approx(1 / 3)


def test_the_cube_of_the_speed_benchmark():
    ds = cube((40, 70))
    assert ds.red.shape == (3, 40, 70) and ds.red.dtype == np.int16
    assert 0.05 < float((ds.red == -9999).mean()) < 0.5
