"""From Earth Engine to a filled cube; without an account, from the tests' stand-in server.

`python examples/open_earth_engine.py [project]`: with a Google Cloud project it asks Earth Engine
itself, with the credentials that `earthengine authenticate` stored.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ee

import xinpaint

ROOT = Path(__file__).parent.parent
DAYS = ["2004-12-19", "2005-01-04", "2005-01-20", "2005-02-05"]


@contextmanager
def session(project: str | None) -> Iterator[None]:
    """A session with Earth Engine, or with the stand-in where there is no project."""
    if project:
        ee.Initialize(project=project)
        yield
        return
    sys.path.insert(0, str(ROOT))
    from google.auth.credentials import AnonymousCredentials

    from tests.io import ee_stub

    with ee_stub.serving(ee_stub.images(DAYS)) as server:
        ee.Initialize(AnonymousCredentials(), url=server.url, project="stand-in")
        yield
    ee.Reset()


def main(project: str | None = None) -> None:
    with session(project):
        ds = xinpaint.open_ee(
            "LANDSAT/LE07/C02/T1_L2",
            geometry=(-74.20, 1.50, -74.17, 1.53),
            datetime="2004-12/2005-02",
            bands=["red", "green", "blue"],
        )
        print(ds)
        filled = ds.inpaint.linear_time().compute()
    for code, word in ((1, "observed"), (2, "filled"), (3, "not filled"), (0, "outside")):
        print(f"{word:12} {float((filled.red_provenance == code).mean()):6.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
