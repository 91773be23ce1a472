"""Several images that might be true, of one filled cube."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import coherent
from xinpaint.core.task import FILLED, OBSERVED, Packing, cast
from xinpaint.cube import schema
from xinpaint.cube.inpaint import as_variable, inpaint
from xinpaint.cube.masking import canonical
from xinpaint.cube.schema import Group, Layer, Mask
from xinpaint.errors import MethodError
from xinpaint.methods.base import Filler


def draws(
    obj: xr.Dataset | xr.DataArray,
    filler: Filler,
    samples: int,
    *,
    name: str,
    seed: int = 0,
    observed: Mask = None,
    where: Mask = None,
) -> xr.Dataset:
    """Fill a cube once, and draw images that hang together from the mean and standard deviation.

    Parameters
    ----------
    obj, observed, where
        As in `xinpaint.cube.inpaint.inpaint`.
    filler : Filler
        One that says how sure it is.
    samples : int
        How many draws.
    name : str
        The method's name, for the output's attrs.
    seed : int
        The same seed, place, day and number of a band give the same draw.

    Returns
    -------
    Dataset
        As from `inpaint`, with every band (sample, ...) and without ``<band>_std``.
        ``<band>_provenance``, which is the same for all, has no sample.

    Raises
    ------
    SchemaError
        Where the cube or a mask does not fit, or has a dimension ``sample`` already.
    MethodError
        Where the filler has no standard deviation.
    """
    if not getattr(filler, "has_std", False):
        raise MethodError(f"{name} does not say how sure it is, so there is nothing to draw from")
    filled = inpaint(obj, filler, name=name, observed=observed, where=where)
    cube, first = schema.read(obj, observed=observed), 0
    made: dict[Hashable, xr.Variable] = {}
    for group in cube.groups:
        for layer in group.layers:
            one = [_drawn(filled, group, layer, _Draw((seed, k), first)) for k in range(samples)]
            band = xr.Variable.concat(one, "sample")
            band.attrs = dict(filled[layer.name].attrs)
            beside = str(band.attrs["ancillary_variables"]).split()
            beside.remove(f"{layer.name}_std")
            band.attrs["ancillary_variables"] = " ".join(beside)
            told = filled[layer.name].encoding
            band.encoding = {key: value for key, value in told.items() if "chunk" not in key}
            made[layer.name] = band
            first += layer.values.shape[1]
    left = filled.drop_vars([f"{name}_std" for name in made])
    return left.assign(made)[list(left.data_vars)]


@dataclass(frozen=True)
class _Draw:
    """What the draw of a layer depends on beside its pixels."""

    key: tuple[int, ...]
    first: int
    days: tuple[float, ...] = ()
    nodata: float | None = None
    packing: Packing | None = None

    def block(
        self,
        values: NDArray[Any],
        std: NDArray[np.float32],
        provenance: NDArray[np.uint8],
        block_info: Any = None,
    ) -> NDArray[Any]:
        """Draw arrays ``[t b y x]``, the whole ones or a block of them."""
        place = block_info[0]["array-location"] if block_info else ((0, 0),) * 4
        starts = [int(start) for start, _ in place]
        packing = self.packing
        if packing is not None and not packing.fits(values[provenance == OBSERVED]):
            packing = None
        made = values.copy()
        for date, day in enumerate(self.days[starts[0] : starts[0] + len(values)]):
            gap = provenance[date] == FILLED
            if not gap.any():
                continue
            whole = int(np.float64(day).view(np.int64))
            drawn = coherent.draw(
                values[date].astype(np.float32),
                std[date],
                (*self.key, whole),
                origin=(starts[2], starts[3]),
                first=self.first + starts[1],
            )
            new = cast(drawn[gap], values.dtype, self.nodata)
            made[date][gap] = new if packing is None else packing.hold(new)
        return made


def _drawn(filled: xr.Dataset, group: Group, layer: Layer, draw: _Draw) -> xr.Variable:
    name, dims = layer.name, group.dims
    parts = (filled[f"{name}{end}"].variable for end in ("", "_std", "_provenance"))
    arrays = [canonical(part, dims) for part in parts]
    draw = _Draw(draw.key, draw.first, tuple(group.days), layer.nodata, layer.packing)
    if all(isinstance(array, np.ndarray) for array in arrays):
        data = draw.block(*arrays)
    else:
        import dask.array as da

        meta = np.empty((0,) * 4, arrays[0].dtype)
        data = da.map_blocks(draw.block, *arrays, dtype=arrays[0].dtype, meta=meta)
    return as_variable(dims, filled[name].dims, data)
