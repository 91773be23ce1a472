"""What a job makes of a cube, block by block: its bands filled, or classes of its water."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.qa import is_quality
from xinpaint.core.task import FILLED
from xinpaint.core.tiling import Halo, Tile
from xinpaint.cube import schema, seasons, spectra
from xinpaint.cube.calendar import suited
from xinpaint.cube.inpaint import inpaint
from xinpaint.cube.piece import ALONE, Piece, fill_pieces, of_dates, reach, read_pieces
from xinpaint.errors import DataError, JobError, MethodError
from xinpaint.io.shards import Inner
from xinpaint.io.weights import classifier
from xinpaint.io.weights import filler as ready
from xinpaint.methods.base import Classifier, Filler
from xinpaint.water.extent import NO_DATA, Rule
from xinpaint.water.years import BANDS

#: What a job is asked for as `method` to get `ds.water.seasonality()`.
SEASONALITY = "seasonality"

Made = Mapping[Hashable, xr.Variable]


class Result(Protocol):
    """A result that is made block by block."""

    @property
    def maker(self) -> Any:
        """The filler or classifier; its attributes `attrs` and `device` count where it has them."""
        ...

    @property
    def halo(self) -> Halo:
        """How far around a block to read; None = the whole axis."""
        ...

    @property
    def same_dates(self) -> bool:
        """Whether it has the dates of the source, and its other variables beside it."""
        ...

    def suited(self, cube: schema.Cube, *, warn: bool = True) -> Result:
        """The result as this cube allows it; raises SchemaError where it does not."""
        ...

    def layout(self, head: xr.Dataset, name: str) -> xr.Dataset:
        """The whole result, labelled and lazy, of a source whose pixels are stand-ins."""
        ...

    def read(self, part: xr.Dataset, days: Sequence[NDArray[np.float64]], tile: Tile) -> Any:
        """What a tile needs of the part ``tile.read``, in memory; DataError where it cannot."""
        ...

    def apart(self, given: Any, dates: int, step: int) -> list[tuple[int, int, Any]]:
        """What was read, by `step` of the core's `dates` where that costs no more.

        Each with its first date and the one after its last, counted from the core's first.
        """
        ...

    def make(self, given: Any) -> Made:
        """The variables of a tile's core from what was read."""
        ...

    def counts(self, made: Made) -> NDArray[np.int64]:
        """How many pixels there are of each provenance code, int64 ``[256]``."""
        ...


def result(method: str | Filler, options: Mapping[str, Any], *, shards: Inner = None) -> Result:
    """The result that a method's name and options, or a filler, stand for.

    Raises
    ------
    JobError
        Where it is asked for in shards and has none.
    DeviceError, MethodError, WeightsError
        As the method says.
    """
    _check_masks(options)
    if method != SEASONALITY:
        return Bands(ready(method, **options) if isinstance(method, str) else _own(method))
    if shards:
        raise JobError(f"shards={shards}: {SEASONALITY} is written in chunks of a block, without")
    return _seasons(**options)


def _check_masks(options: Mapping[str, Any]) -> None:
    """Raise MethodError where a job is given a mask as the accessors take it."""
    if "observed" in options:
        raise MethodError(
            "observed= is for cubes in hand, a job reads all it knows from its source: store the "
            "mask there as a bool variable of that name, on the cube's own grid: "
            "mask.rename('observed').to_dataset().to_zarr(src, mode='a')"
        )
    if "where" in options:
        raise MethodError(
            "where= is for cubes in hand, a job fills what observed pixels surround: leave it out, "
            "or fill with ds.inpaint and its where="
        )


def _own(method: Filler) -> Filler:
    """A filler of the user's, if it is one."""
    fills = callable(getattr(method, "fill", None)) and not isinstance(method, type)
    if fills and isinstance(getattr(method, "halo", None), Halo):
        return method
    raise MethodError(
        f"{method!r} is no filler: wanted a method's name, or an instance that has `halo`, an "
        "xinpaint.core.tiling.Halo, and `fill(task)`"
    )


@dataclass(frozen=True)
class Bands:
    """All bands of a cube, filled as `xinpaint.cube.inpaint.inpaint` fills them."""

    maker: Filler
    same_dates = True

    @property
    def halo(self) -> Halo:
        """See `Result`."""
        return reach(self.maker)

    def suited(self, cube: schema.Cube, *, warn: bool = True) -> Bands:
        """See `Result`."""
        schema.check_new(cube)
        return Bands(suited(cube, self.maker, warn=warn))

    def layout(self, head: xr.Dataset, name: str) -> xr.Dataset:
        """See `Result`."""
        return inpaint(head, self.maker, name=name)

    def read(
        self, part: xr.Dataset, days: Sequence[NDArray[np.float64]], tile: Tile
    ) -> list[Piece]:
        """See `Result`."""
        return read_pieces(part, self.maker, days=days, tile=tile)

    def apart(
        self, given: list[Piece], dates: int, step: int
    ) -> list[tuple[int, int, list[Piece]]]:
        """See `Result`: a method that needs all dates at once would be asked again and again."""
        if self.halo.t is None:
            return [(0, dates, given)]
        spans = [(begin, min(begin + step, dates)) for begin in range(0, dates, step)]
        return [(begin, end, of_dates(given, begin, end)) for begin, end in spans]

    def make(self, given: list[Piece]) -> Made:
        """See `Result`."""
        return fill_pieces(given, self.maker)

    def counts(self, made: Made) -> NDArray[np.int64]:
        """See `Result`."""
        found = np.zeros(256, np.int64)
        for name, variable in made.items():
            if str(name).endswith("_provenance"):
                found += np.bincount(variable.values.ravel(), minlength=256)
        return found


@dataclass(frozen=True)
class Seasons:
    """Classes of water as `xinpaint.cube.seasons.seasonality` tells them."""

    maker: Classifier
    rule: Rule
    window: int
    step: int
    same_dates = False

    @property
    def halo(self) -> Halo:
        """See `Result`."""
        return self.maker.halo

    def suited(self, cube: schema.Cube, *, warn: bool = True) -> Seasons:
        """See `Result`; floats of a store that are integers in it need a scale like these."""
        spectra.check_decoded(spectra.read_bands(cube.dataset, BANDS, self.rule))
        self._of(cube.dataset)
        return self

    def layout(self, head: xr.Dataset, name: str) -> xr.Dataset:
        """See `Result`; what is not done yet reads as no data, not as land."""
        made = self._of(head)
        made = made.assign({key: array.chunk(-1) for key, array in made.data_vars.items()})
        made.variables["seasonality"].encoding["fill_value"] = NO_DATA
        return made

    def read(
        self, part: xr.Dataset, days: Sequence[NDArray[np.float64]], tile: Tile
    ) -> tuple[xr.Dataset, Tile]:
        """See `Result`; only the bands that are looked at and what says where they were seen."""
        loaded = part[_needed(part, self.rule)]
        for name in loaded.data_vars:
            try:
                loaded.variables[name].load(scheduler=ALONE)
            except Exception as error:  # each codec and store raises its own
                told = f"{type(error).__name__}: {error}"
                raise DataError(f"cannot read {name!r}: {told}") from error
        return loaded, tile

    def apart(self, given: Any, dates: int, step: int) -> list[tuple[int, int, Any]]:
        """See `Result`: a window has dates of its own."""
        return [(0, dates, given)]

    def make(self, given: tuple[xr.Dataset, Tile]) -> Made:
        """See `Result`."""
        part, tile = given
        made = self._of(part, (tile.padded[1][0], tile.padded[2][0]))
        y, x = made["seasonality"].dims[-2:]
        core = made.isel({y: tile.trim[1], x: tile.trim[2]})
        return {name: core[name].variable for name in core.data_vars}

    def counts(self, made: Made) -> NDArray[np.int64]:
        """See `Result`."""
        found = np.zeros(256, np.int64)
        found[FILLED] = int((made["seasonality"].values != NO_DATA).sum())
        return found

    def _of(self, part: xr.Dataset, origin: tuple[int, int] = (0, 0)) -> xr.Dataset:
        given = (part, self.maker, self.rule)
        return seasons.seasonality(*given, window=self.window, step=self.step, origin=origin)


def _seasons(
    *,
    window: int = 3,
    step: int = 1,
    weights: str | None = None,
    device: str = "auto",
    scale: float | None = None,
    offset: float | None = None,
    **others: Any,
) -> Seasons:
    """Options as in ``ds.water.seasonality``."""
    if others:
        raise MethodError(f"{SEASONALITY}: there is no option {sorted(others)}")
    rule = Rule(scale=scale, offset=offset)
    return Seasons(classifier(weights, device), rule, window, step)


def _needed(part: xr.Dataset, rule: Rule) -> list[Hashable]:
    """Names of the bands that a net of water looks at, and of what says where they were seen."""
    bands = [layer.name for layer in spectra.read_bands(part, BANDS, rule).layers]
    if not set(bands) <= set(part.data_vars):  # entries of a band dim
        return list(part.data_vars)
    said = {"observed", "read_failed", *(f"{band}_provenance" for band in bands)}
    return [n for n in part.data_vars if n in bands or n in said or is_quality(str(n))]
