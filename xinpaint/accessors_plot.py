"""``ds.inpaint.plot`` and ``ds.water.plot``: each method one call of a function that draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from xinpaint.suggestions import suggesting

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask
    from xinpaint.plot_figure import Picture

Bands = Sequence[str] | None


class WaterPlot:
    """Pictures of what ``ds.water`` makes. Each method returns a Matplotlib figure."""

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj

    def seasonality(self, *, most: int = 12) -> Picture:
        """Map permanent and seasonal water, a panel a window of months.

        Parameters
        ----------
        most : int
            Windows to draw, the first ones.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> filled = xinpaint.tutorial.open_cube(dates=6, size=48, truth=True)
        >>> seasons = filled.water.seasonality(method="count", window=6, step=6)
        >>> figure = seasons.water.plot.seasonality()
        """
        from xinpaint.cube.schema import as_dataset
        from xinpaint.plot_water import seasonality

        return seasonality(as_dataset(self._obj), most=most)

    def area(self, *, rest: bool = False) -> Picture:
        """Draw the area of each class of water over time, in km².

        Parameters
        ----------
        rest : bool
            Also what is not water.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> filled = xinpaint.tutorial.open_cube(dates=6, size=48, truth=True)
        >>> figure = filled.water.extent().water.plot.area()
        """
        from xinpaint.cube.schema import as_dataset
        from xinpaint.plot_water import area

        return area(as_dataset(self._obj), rest=rest)


@suggesting("ds.inpaint.plot")
class Plot(WaterPlot):
    """Pictures of a cube, its gaps and its fill; each method returns a Matplotlib figure.

    `bands` are three names for red, green and blue, or one for a grey picture; without it ``red``,
    ``green`` and ``blue`` where the cube has them, else its first band. `time` is the index of the
    date that is drawn. Missing pixels are reddish purple, which no ground and no cloud is.
    """

    def gaps(self, *, observed: Mask = None) -> Picture:
        """Draw the missing share of each date, mean over bands.

        Parameters
        ----------
        observed : bool DataArray or Dataset, optional
            As for ``ds.inpaint``.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> ds.inpaint.plot.gaps().axes[0].get_ylabel()
        'missing pixels, %'
        """
        from xinpaint.cube.bandwise import bandwise
        from xinpaint.plot import gaps

        return gaps(bandwise(self._obj), observed=observed)

    def before_after(
        self,
        filled: xr.Dataset | Mapping[str, xr.Dataset],
        truth: xr.Dataset | None = None,
        *,
        bands: Bands = None,
        time: int = 0,
        observed: Mask = None,
    ) -> Picture:
        """Draw this cube before and after filling, beside the truth and the uncertainty.

        Parameters
        ----------
        filled : Dataset or mapping of title to Dataset
            What this cube became.
        truth : Dataset, optional
            The same cube with nothing missing.
        bands, time
            See the class.
        observed : bool DataArray or Dataset, optional
            What was said to the method to be observed of this cube.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> figure = ds.inpaint.plot.before_after(ds.inpaint.telea(), time=1)
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot import before_after

        cube = bandwise(self._obj)
        names = shown(cube, bands)
        return before_after(cube, filled, truth, bands=names, time=time, observed=observed)

    def swipe(
        self, filled: xr.Dataset, *, bands: Bands = None, time: int = 0, observed: Mask = None
    ) -> Any:
        """Show this cube before and after under a handle to drag (extra ``swipe``: hvplot).

        Parameters
        ----------
        filled : Dataset
            What this cube became.
        bands, time
            See the class.
        observed : bool DataArray or Dataset, optional
            What was said to the method to be observed of this cube.

        Returns
        -------
        panel.layout.Swipe
            A notebook shows it; ``.save("swipe.html")`` writes a page.

        Raises
        ------
        MethodError
            If hvplot is not installed.
        SchemaError

        Examples
        --------
        >>> ds.inpaint.plot.swipe(ds.inpaint.telea())  # doctest: +SKIP
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot_swipe import swipe

        cube = bandwise(self._obj)
        return swipe(cube, filled, bands=shown(cube, bands), time=time, observed=observed)

    def uncertainty(self, *, bands: Bands = None, time: int = 0) -> Picture:
        """Map the standard deviation of the filled pixels of this filled cube.

        Parameters
        ----------
        bands, time
            See the class.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> figure = ds.inpaint.regression().inpaint.plot.uncertainty()
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot import uncertainty

        cube = bandwise(self._obj)
        return uncertainty(cube, bands=shown(cube, bands), time=time)

    def errors(self, truth: xr.Dataset, *, band: str | None = None, time: int = 0) -> Picture:
        """Draw truth, fill, error and standard deviation of one band of this filled cube.

        Parameters
        ----------
        truth : Dataset
            On the same grid and dates; NaN or nodata where it is not known.
        band : str, optional
            Its name; the first of the class's choice where not given.
        time : int
            Index of the date.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> truth = xinpaint.tutorial.open_cube(dates=2, size=48, truth=True)
        >>> figure = ds.inpaint.regression().inpaint.plot.errors(truth, band="nir")
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot_judge import errors

        cube = bandwise(self._obj)
        return errors(cube, truth, band=band or shown(cube, None)[0], time=time)

    def reliability(self, truth: xr.Dataset, *, bands: Bands = None) -> Picture:
        """Draw how often the truth falls inside this filled cube's intervals of each size.

        Parameters
        ----------
        truth : Dataset
            On the same grid and dates; NaN or nodata where it is not known.
        bands
            See the class; all their filled pixels are pooled.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> truth = xinpaint.tutorial.open_cube(dates=2, size=48, truth=True)
        >>> figure = ds.inpaint.regression().inpaint.plot.reliability(truth)
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot_judge import reliability

        cube = bandwise(self._obj)
        return reliability(cube, truth, bands=shown(cube, bands))

    def coverage_by_distance(
        self, truth: xr.Dataset, *, bands: Bands = None, level: float = 0.9
    ) -> Picture:
        """Draw how often the truth falls inside the interval, by distance to observed pixels.

        Parameters
        ----------
        truth, bands
            As for `reliability`.
        level : float
            Size of the central interval, 0 to 1.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds = xinpaint.tutorial.open_cube(dates=2, size=48)
        >>> truth = xinpaint.tutorial.open_cube(dates=2, size=48, truth=True)
        >>> figure = ds.inpaint.regression().inpaint.plot.coverage_by_distance(truth)
        """
        from xinpaint.cube.bandwise import bandwise, shown
        from xinpaint.plot_judge import coverage_by_distance

        cube = bandwise(self._obj)
        return coverage_by_distance(cube, truth, bands=shown(cube, bands), level=level)


class Pictured:
    """What gives an accessor its ``plot``."""

    _obj: xr.Dataset | xr.DataArray

    @property
    def plot(self) -> Plot:
        """Pictures of this cube: see `Plot`."""
        return Plot(self._obj)
