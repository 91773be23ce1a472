"""Labels meet arrays: water indices, extents and seasonality of a cube."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.cube import schema
from xinpaint.cube import spectra as bands
from xinpaint.cube.elementwise import each, stack
from xinpaint.cube.extents import extent_of, index_of
from xinpaint.cube.months import dates, monthly, months_of, starts, time_of, windows
from xinpaint.cube.schema import Mask
from xinpaint.cube.spectra import Spectra
from xinpaint.errors import MethodError
from xinpaint.version import __version__
from xinpaint.water import counts
from xinpaint.water.extent import NO_DATA, NOT_WATER, WATER, Rule
from xinpaint.water.indices import INDICES

AUTO = Rule()
_EXTENT = {
    "flag_values": np.array([NOT_WATER, WATER, NO_DATA], np.uint8),
    "flag_meanings": "not_water water no_data",
}
SEASONALITY = {
    "flag_values": np.array([NOT_WATER, counts.SEASONAL, counts.PERMANENT, NO_DATA], np.uint8),
    "flag_meanings": "not_water seasonal permanent no_data",
}
Made = dict[str, tuple[Any, dict[str, Any]]]


def index(
    obj: xr.Dataset | xr.DataArray, rule: Rule = AUTO, *, observed: Mask = None
) -> xr.Dataset:
    """Water index of every date.

    Parameters
    ----------
    obj : Dataset or DataArray
        A cube as for `inpaint`, filled or not, with bands named blue, green, red, nir (nir08),
        swir1 (swir16), swir2 (swir22).
    rule : Rule
        Which index, and the scale of the bands.
    observed : bool DataArray or Dataset, optional
        True where a pixel may be used. Without it ``<band>_provenance`` decides (observed or
        filled), else a quality variable, nodata and NaN.

    Returns
    -------
    Dataset
        One variable of the index's name, float32; NaN where a band is missing. Lazy where `obj` is.

    Raises
    ------
    SchemaError
        Where bands or their scale are missing.
    """
    spectra = bands.read(obj, rule, observed=observed)
    name = spectra.index
    attrs = {"long_name": f"water index {name}", "references": INDICES[name].source, "units": "1"}
    return _each_date(spectra, {name: (index_of(spectra), attrs)})


def extent(
    obj: xr.Dataset | xr.DataArray, rule: Rule = AUTO, *, observed: Mask = None
) -> xr.Dataset:
    """Water or not on every date.

    Parameters
    ----------
    obj, rule, observed
        As in `index`.

    Returns
    -------
    Dataset
        ``extent``, uint8: 0 not water, 1 water, 255 no data.

    Raises
    ------
    SchemaError
        As in `index`.
    """
    spectra = bands.read(obj, rule, observed=observed)
    attrs = {"long_name": "water extent", **_how(spectra, rule), **_EXTENT}
    return _each_date(spectra, {"extent": (extent_of(spectra, rule), attrs)})


def occurrence(
    obj: xr.Dataset | xr.DataArray, rule: Rule = AUTO, *, observed: Mask = None
) -> xr.Dataset:
    """Share of the dates that saw a pixel on which it was water.

    Parameters
    ----------
    obj, rule, observed
        As in `index`; with a time dim.

    Returns
    -------
    Dataset
        ``occurrence`` (y, x), float32, 0 to 1; NaN where no date saw the pixel.

    Raises
    ------
    SchemaError
        As in `index`, and without a time dim.
    """
    spectra = bands.read(obj, rule, observed=observed)
    time_of(spectra)
    wet, seen = dates(extent_of(spectra, rule))
    share = each(_share, wet, seen, dtype=np.float32)
    attrs = {"long_name": "water occurrence", "units": "1", **_how(spectra, rule)}
    return label(spectra, {"occurrence": (share, attrs)})


def month_counts(
    obj: xr.Dataset | xr.DataArray, rule: Rule = AUTO, *, observed: Mask = None
) -> xr.Dataset:
    """How often each month of the year was seen and was wet; sums over cubes add up.

    Parameters
    ----------
    obj, rule, observed
        As in `index`; with a time coordinate, in any order.

    Returns
    -------
    Dataset
        ``wet`` and ``seen`` (month, y, x), uint16, numbers of dates; month 1 is January.

    Raises
    ------
    SchemaError
        As in `index`, and without dates.
    """
    spectra = bands.read(obj, rule, observed=observed)
    months = months_of(spectra) % 12
    states = extent_of(spectra, rule)
    wet, seen = zip(*(dates(states, np.flatnonzero(months == m)) for m in range(12)), strict=True)
    how = _how(spectra, rule)
    made: Made = {
        "wet": (stack(wet), {"long_name": "dates on which a pixel was water", **how}),
        "seen": (stack(seen), {"long_name": "dates on which a pixel was seen", **how}),
    }
    return label(spectra, made, ("month", xr.Variable("month", np.arange(1, 13))))


def seasonality(
    obj: xr.Dataset | xr.DataArray,
    rule: Rule = AUTO,
    *,
    window: int = 3,
    step: int = 1,
    observed: Mask = None,
) -> xr.Dataset:
    """Permanent, seasonal or no water, in each window of some months.

    The dates of a month make one composite: water where at least half of those that saw a pixel
    saw water. In a window, a pixel is permanent where every month that was seen is wet, seasonal
    where some are, not water where none is (Pekel et al. 2016). A month that nobody saw counts
    as nothing.

    Parameters
    ----------
    obj, rule, observed
        As in `index`; with a time coordinate in ascending order. Or what `extent` gave; NaN,
        where it was masked, is no data.
    window : int
        Months in a window, 1 to 12.
    step : int
        Months from one window to the next.

    Returns
    -------
    Dataset
        ``seasonality`` (time, y, x), uint8: 0 not water, 1 seasonal, 2 permanent, 255 no data; and
        ``months_seen``, uint8. ``time`` is the first month of each window.

    Raises
    ------
    SchemaError
        As in `index`, and where dates are missing, not in order, or too few for one window.
    MethodError
        Where window or step is not one of those above.
    """
    check_window(window, step)
    spectra, states, said = _states(obj, rule, observed)
    months = months_of(spectra)
    begins = starts(spectra, months, window, step)
    composites = monthly(states, months)
    wet, seen = windows(composites, [begin - begins[0] for begin in begins], window)
    classes = each(counts.seasonality, wet, seen, dtype=np.uint8)
    how = {**said, "method": "count", "window_months": window, "step_months": step}
    made: Made = {
        "seasonality": (classes, {"long_name": "water seasonality", **how, **SEASONALITY}),
        "months_seen": (seen, {"long_name": "months of the window that were seen"}),
    }
    return label(spectra, made, first_months(spectra, begins))


def first_months(spectra: Spectra, begins: list[int]) -> tuple[Hashable, xr.Variable]:
    """The time coordinate of windows: their first months."""
    firsts = (np.asarray(begins) - 1970 * 12).astype("datetime64[M]").astype("datetime64[ns]")
    time = time_of(spectra)
    about = {"long_name": "first month of the window", "standard_name": "time"}
    return time, xr.Variable(time, firsts, about)


def _states(
    obj: xr.Dataset | xr.DataArray, rule: Rule, observed: Mask
) -> tuple[Spectra, Any, dict[str, Any]]:
    """Wet, dry or unknown ``[t y x]``, of bands or as `extent` gave it, and what to say of it."""
    dataset = schema.as_dataset(obj)
    if "extent" not in dataset or "flag_values" not in dataset["extent"].attrs:
        spectra = bands.read(obj, rule, observed=observed)
        return spectra, extent_of(spectra, rule), _how(spectra, rule)
    array = dataset["extent"]
    group = schema.read(_bare(dataset[["extent"]]), observed=True).groups[0]
    spectra = Spectra(dataset, "", group.dims, group.days, group.layers, ())
    states = group.layers[0].values[:, 0]
    if states.dtype.kind == "f":
        states = each(_whole, states, dtype=np.uint8)
    said = {k: array.attrs[k] for k in ("index", "threshold", "references") if k in array.attrs}
    return spectra, states, said


def _whole(states: NDArray[np.floating]) -> NDArray[np.uint8]:
    """An extent that `.where` made floats of: NaN is no data."""
    return np.where(np.isnan(states), NO_DATA, states).astype(np.uint8)


def _bare(dataset: xr.Dataset) -> xr.Dataset:
    """Without attrs, so that flags pass for numbers."""
    return dataset.assign({n: (v.dims, v.data) for n, v in dataset.data_vars.items()})


def _share(wet: NDArray[Any], seen: NDArray[Any]) -> NDArray[np.float32]:
    blank = np.full(wet.shape, np.nan, np.float32)
    np.divide(wet, seen, out=blank, where=seen > 0, dtype=np.float32)
    return blank


def check_window(window: Any, step: Any) -> None:
    """Raise MethodError where a window or step makes no sense."""
    whole = all(isinstance(n, (int, np.integer)) and n is not True for n in (window, step))
    if not whole or not 1 <= window <= 12 or step < 1:
        raise MethodError(
            f"window={window!r} and step={step!r} months; wanted whole numbers: a window of 1 to "
            "12, a step of 1 up"
        )


def _how(spectra: Spectra, rule: Rule) -> dict[str, Any]:
    source = INDICES[spectra.index].source
    return {"index": spectra.index, "threshold": rule.threshold, "references": source}


def _each_date(spectra: Spectra, made: Made) -> xr.Dataset:
    """Label arrays ``[t y x]`` on the cube's own dates, or none where it has no time."""
    time = spectra.dims.time
    if time is None:
        return label(spectra, {name: (data[0], attrs) for name, (data, attrs) in made.items()})
    order = spectra.dataset[spectra.layers[0].name].dims
    return label(spectra, made, (time, None)).transpose(*order)


def label(
    spectra: Spectra,
    made: Made,
    lead: tuple[Hashable, xr.Variable | None] | None = None,
) -> xr.Dataset:
    """Make a Dataset of arrays ``[y x]``, or ``[lead y x]`` with a coordinate of its own."""
    dims, source = spectra.dims, spectra.dataset
    plane = (dims.y, dims.x)
    full = plane if lead is None else (lead[0], *plane)
    keep = full if lead is not None and lead[1] is None else plane
    coords = {name: c for name, c in source.coords.items() if set(c.dims) <= set(keep)}
    if lead is not None and lead[1] is not None:
        coords[lead[0]] = lead[1]
    band = source[spectra.layers[0].name]
    variables = {}
    for name, (data, attrs) in made.items():
        variables[name] = xr.Variable(full, data, attrs)
        for old, new in (
            (band.attrs, variables[name].attrs),
            (band.encoding, variables[name].encoding),
        ):
            if "grid_mapping" in old:
                new["grid_mapping"] = old["grid_mapping"]
    attrs = {**source.attrs, "xinpaint_version": __version__}
    return xr.Dataset(variables, coords=coords, attrs=attrs)
