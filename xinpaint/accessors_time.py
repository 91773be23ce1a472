"""The half of ``ds.inpaint`` that looks along time; like the other it only points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask


def fill(
    obj: xr.Dataset | xr.DataArray,
    name: str,
    options: Mapping[str, object],
    observed: Mask,
    where: Mask,
) -> xr.Dataset:
    """Fill `obj` with the method of a name; see `xinpaint.cube.inpaint.inpaint`."""
    from xinpaint.cube.inpaint import inpaint
    from xinpaint.io.weights import filler

    return inpaint(obj, filler(name, **options), name=name, observed=observed, where=where)


class ThroughTime:
    """The methods that need a time coordinate, in order, with every date once."""

    _obj: xr.Dataset | xr.DataArray

    def linear_time(self, *, observed: Mask = None, where: Mask = None) -> xr.Dataset:
        """Fill along time, linearly between the observations before and after.

        Parameters
        ----------
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError
            Also where dates are duplicate or not in order.

        Examples
        --------
        >>> filled = ds.inpaint.linear_time()  # doctest: +SKIP
        """
        return fill(self._obj, "linear_time", {}, observed, where)

    def regression(
        self,
        *,
        max_dates: int = 6,
        max_days: float | None = None,
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill from other dates by local regressions, weighed by local evidence.

        Parameters
        ----------
        max_dates : int
            How many other dates, the nearest in time, whatever they saw of the place.
        max_days : float, optional
            None of them farther away than this.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.regression(max_dates=4)  # doctest: +SKIP
        """
        options = {"max_dates": max_dates, "max_days": max_days}
        return fill(self._obj, "regression", options, observed, where)

    def histogram(
        self,
        *,
        max_dates: int = 6,
        max_days: float | None = None,
        window: int = 31,
        common: int = 144,
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill from the nearest date that saw the pixel, matched in mean and spread around it.

        Parameters
        ----------
        max_dates : int
            Other dates to consider, nearest in time first.
        max_days : float, optional
            Consider no date farther away than this.
        window : int
            Side of the largest window, odd, in pixels.
        common : int
            Pixels seen on both dates that a window must hold.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.histogram(max_days=64)  # doctest: +SKIP
        """
        options = {"max_dates": max_dates, "max_days": max_days, "window": window, "common": common}
        return fill(self._obj, "histogram", options, observed, where)

    def nspi(
        self,
        *,
        max_dates: int = 6,
        max_days: float | None = None,
        window: int = 31,
        similar: int = 20,
        classes: float = 4,
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill from neighbours that looked alike on another date (NSPI; Chen et al. 2011).

        Parameters
        ----------
        max_dates : int
            Other dates to consider, nearest in time first.
        max_days : float, optional
            Consider no date farther away than this.
        window : int
            Side of the largest window, odd, in pixels.
        similar : int
            Similar pixels wanted.
        classes : float
            About how many kinds of surface there are; more makes the choice stricter.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.nspi()  # doctest: +SKIP
        """
        options = {
            "max_dates": max_dates,
            "max_days": max_days,
            "window": window,
            "similar": similar,
            "classes": classes,
        }
        return fill(self._obj, "nspi", options, observed, where)

    def harmonic(self, *, order: int = 1, observed: Mask = None, where: Mask = None) -> xr.Dataset:
        """Fill along time with a yearly curve, fitted to each pixel's observations.

        Parameters
        ----------
        order : int
            Harmonics of the year: 1 is one wave a year, 2 adds one of half a year.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.harmonic(order=2)  # doctest: +SKIP
        """
        return fill(self._obj, "harmonic", {"order": order}, observed, where)
