"""What this installation can do, what it lacks, and the command that adds it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: Extras that a user of the package has no need of.
OURS = frozenset({"docs", "server", "test"})
#: GDAL drivers -> what they read.
DRIVERS = {
    "GTiff": "GeoTIFF",
    "VRT": "virtual mosaics",
    "JP2OpenJPEG": "Sentinel-2 (JPEG 2000)",
    "netCDF": "NetCDF through GDAL",
    "HDF5": "HDF5 through GDAL",
}
_NEEDED_DRIVERS = frozenset({"GTiff"})


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        Its name.
    found : str
        What was there.
    ok : bool
        Whether it is as it should be.
    needed : bool
        Whether xinpaint fails without it; otherwise only a part of it does.
    fix : str
        The command, or the change, that mends it; empty where nothing needs mending.

    Examples
    --------
    >>> print(Check("hats", "missing", ok=False, needed=False, fix="pip install hats"))
    -       hats                   missing
            pip install hats
    """

    what: str
    found: str
    ok: bool = True
    needed: bool = True
    fix: str = ""

    def __str__(self) -> str:
        mark = "ok" if self.ok else "WRONG" if self.needed else "-"
        tail = f"\n{'':8}{self.fix}" if self.fix and not self.ok else ""
        return f"{mark:6}  {self.what:22} {self.found}{tail}"


def examine(*, fill: bool = True) -> tuple[Check, ...]:
    """Look at Python, libraries, devices, weights and GDAL, and fill a small cube.

    Parameters
    ----------
    fill : bool
        Also fill a cube of 2 dates × 48 × 48 pixels, with and without a net; some seconds.

    Returns
    -------
    tuple of Check
        Nothing is raised: what fails is a check that is not `ok`.

    Examples
    --------
    >>> [str(check.what) for check in examine(fill=False)][:2]
    ['xinpaint', 'Python']
    """
    parts: list[Callable[[], Iterator[Check]]] = [_python, _libraries, _devices, _weights, _gdal]
    if fill:
        parts += [_fill_without_a_net, _fill_with_a_net]
    made: list[Check] = []
    for part in parts:
        try:
            made += part()
        except Exception as error:  # whatever it was, the other checks go on
            what = part.__name__.strip("_").replace("_", " ")
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            made.append(Check(what, said, ok=False, fix=_again()))
    return tuple(made)


def _again() -> str:
    return f"{Path(sys.executable).name} -m pip install --force-reinstall xinpaint"


def _python() -> Iterator[Check]:
    from xinpaint.version import __version__

    yield Check("xinpaint", f"{__version__} in {Path(__file__).parents[1]}")
    enough = sys.version_info >= (3, 11)
    said = f"{platform.python_version()} on {platform.platform(terse=True)}"
    yield Check("Python", said, ok=enough, fix="" if enough else "install Python 3.11 or newer")


def _libraries() -> Iterator[Check]:
    """Every library that the package declares, extra by extra."""
    from packaging.requirements import Requirement

    extras: dict[str, list[Requirement]] = {}
    for line in metadata.requires("xinpaint") or []:
        wanted = Requirement(line)
        extra = line.rpartition("extra ==")[2].strip(" '\"") if "extra ==" in line else ""
        if extra not in OURS:
            extras.setdefault(extra, []).append(wanted)
    for wanted in extras.pop("", []):
        found, ok = _version(wanted)
        yield Check(wanted.name, found, ok=ok, fix=f"pip install '{wanted.name}{wanted.specifier}'")
    for extra, members in sorted(extras.items()):
        states = [(member.name, *_version(member)) for member in members]
        said = ", ".join(f"{name} {found}" for name, found, _ in states)
        ok = all(state[2] for state in states)
        fix = f"pip install 'xinpaint[{extra}]'"
        yield Check(f"extra {extra}", said, ok=ok, needed=False, fix=fix)


def _version(wanted: Requirement) -> tuple[str, bool]:
    """What is installed of a requirement, and whether it will do."""
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "missing", False
    ok = wanted.specifier.contains(found, prereleases=True)
    return (found, True) if ok else (f"{found}, wanted {wanted.specifier}", False)


def _devices() -> Iterator[Check]:
    import torch

    names = [
        f"cuda:{k} {torch.cuda.get_device_name(k)}"
        for k in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    names.append(f"cpu, {torch.get_num_threads()} threads")
    yield Check("devices", "; ".join(names))


def _weights() -> Iterator[Check]:
    from xinpaint.errors import WeightsError
    from xinpaint.io.weights import NEURAL, SHIPPED, WATER, card, find

    needed = {*NEURAL.values(), WATER}
    for name in sorted({path.stem for path in SHIPPED.glob("*.safetensors")} | needed):
        what, must = f"weights {name}", name in needed
        try:
            source = find(name)
            licence = str(card(source.path).get("licence", "")).partition(" ")[0]
            yield Check(what, f"sha256 {source.sha256[:12]}…, {licence or 'no licence'}")
        except WeightsError as error:
            yield Check(what, str(error), ok=False, needed=must, fix=_again())


def _gdal() -> Iterator[Check]:
    import rasterio

    with rasterio.Env() as env:
        drivers = env.drivers()
    for name, reads in DRIVERS.items():
        there = name in drivers
        said = f"GDAL {rasterio.__gdal_version__}" if there else "missing"
        fix = f"conda install -c conda-forge rasterio libgdal  # for {reads}"
        must = name in _NEEDED_DRIVERS
        yield Check(f"driver {name}", f"{said}: {reads}", ok=there, needed=must, fix=fix)


def _fill_without_a_net() -> Iterator[Check]:
    yield _fill("telea", std=False)


def _fill_with_a_net() -> Iterator[Check]:
    yield _fill("convnp", std=True)


def _fill(method: str, *, std: bool) -> Check:
    """Fill the tutorial cube, and see that the answer is one."""
    import numpy as np

    from xinpaint.cube.inpaint import inpaint
    from xinpaint.io.tutorial import open_cube
    from xinpaint.io.weights import filler

    cube = open_cube(dates=2, size=48)
    made = inpaint(cube, filler(method), name=method)
    seen = cube.red.values != 0
    done = made.red_provenance.values == 2
    same = np.array_equal(made.red.values[seen], cube.red.values[seen])
    sure = not std or bool((made.red_std.values[done] > 0).all())
    ok = same and sure and bool(done.any())
    outside = made.red_provenance.values == 0
    said = f"{int(done.sum()):,} missing pixels of a small cube filled; "
    said += f"{int(outside.sum()):,} outside of its swath left alone, as they should be"
    rest = int((~(seen | done | outside)).sum())
    said += f"; {rest:,} not filled" if rest else ""
    said += "" if same else "; observed pixels changed"
    said += "" if sure else "; filled pixels without a standard deviation"
    return Check(f"fill, {method}", said, ok=ok, fix=_again())
