"""Several draws of one filled cube, which hang together in space."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from xinpaint.cube.inpaint import inpaint
from xinpaint.cube.schema import Mask
from xinpaint.methods.base import Filler


def draws(
    obj: xr.Dataset | xr.DataArray,
    fillers: Sequence[Filler],
    *,
    name: str,
    observed: Mask = None,
    where: Mask = None,
) -> xr.Dataset:
    """Fill a cube once with each filler and lay the results along a dimension ``sample``.

    Parameters
    ----------
    obj, observed, where
        As in `xinpaint.cube.inpaint.inpaint`.
    fillers : sequence of Filler
        One a draw; they differ in nothing but what they draw.
    name : str
        The method's name, for the output's attrs.

    Returns
    -------
    Dataset
        As from `inpaint`, with every band (sample, ...). ``<band>_provenance``, which is the same
        for all, has no sample.

    Raises
    ------
    SchemaError
        Where the cube or a mask does not fit, or has a dimension ``sample`` already.
    """
    made = [inpaint(obj, one, name=name, observed=observed, where=where) for one in fillers]
    first = made[0]
    shared = [v for v in first.data_vars if str(v).endswith("_provenance")]
    laid = xr.concat(
        [one.drop_vars(shared) for one in made],
        "sample",
        coords="minimal",
        combine_attrs="override",
    )
    for key in laid.data_vars:
        laid[key].encoding = {k: v for k, v in first[key].encoding.items() if "chunk" not in k}
    return laid.assign({v: first[v] for v in shared})[list(first.data_vars)]
