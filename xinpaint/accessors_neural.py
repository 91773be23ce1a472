"""The methods of ``ds.inpaint`` that need weights; like the others they only point."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from xinpaint.accessors_time import fill

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask


class Neural:
    """The nets: our neural processes and the two that they are measured against."""

    _obj: xr.Dataset | xr.DataArray

    def convnp(
        self,
        *,
        model: Literal["convnp", "convcnp", "convlnp", "ongrid"] | None = None,
        context: Literal["auto", "space", "time"] = "auto",
        max_dates: int = 6,
        max_days: float | None = None,
        samples: int | None = None,
        seed: int = 0,
        weights: str | PathLike[str] | None = None,
        device: str = "auto",
        precision: Literal["exact", "bf16", "fp16"] = "exact",
        turns: Literal[1, 2, 4] | None = None,
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill with a convolutional neural process, which also says how sure it is.

        Parameters
        ----------
        model : {"convnp", "convcnp", "convlnp", "ongrid"}, optional
            Which neural process: "convnp" looks at other dates too, "convcnp" is its part of space
            alone, "convlnp" has latents, "ongrid" is the ConvCNP as published.
            Where not given, the weights decide; without these "convnp".
        context : {"auto", "space", "time"}
            Whether other dates help: "auto" uses them where the cube has a time axis and the net
            takes them, "space" never, "time" insists on them.
        max_dates : int
            How many other dates, the nearest in time, whatever they saw of the place.
        max_days : float, optional
            None of them farther away than this.
        samples : int, optional
            So many draws that hang together in space, instead of a mean and a standard deviation:
            every band gets a first dimension ``sample``.
        seed : int
            Of draws and latents. The same seed gives the same ones, whatever the chunks.
        weights : str or path, optional
            A name of shipped weights, or the path of a ``.safetensors`` file. The default weights
            of the model where not given.
        device : {"auto", "cpu", "cuda", "cuda:N"}
            Where the net runs; "auto" takes the fastest at hand.
        precision : {"exact", "bf16", "fp16"}
            "exact" is float32; the others are mixed precision, faster on most GPUs.
        turns : {1, 2, 4}, optional
            How many orientations of the image "convnp" and "convcnp" look at and average. Their
            shipped weights take two, half a turn apart; 1 is faster (nearly twice in space, one
            and a half times with other dates) and errs a little more, 4 the other way round.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError, WeightsError, DeviceError

        Examples
        --------
        >>> ds = xr.open_zarr("cube.zarr", decode_coords="all")  # doctest: +SKIP
        >>> ds.inpaint.convnp().to_zarr("filled.zarr")  # doctest: +SKIP
        >>> ds.inpaint.convnp(samples=8).red.mean(("y", "x")).std("sample")  # doctest: +SKIP
        """
        options = {
            "model": model,
            "weights": weights,
            "device": device,
            "precision": precision,
            "turns": turns,
            "context": context,
            "max_dates": max_dates,
            "max_days": max_days,
            "seed": seed,
        }
        if samples is None:
            return fill(self._obj, "convnp", options, observed, where)
        return _drawn(self._obj, options, samples, observed, where)

    def unet(
        self,
        *,
        weights: str | PathLike[str] | None = None,
        device: str = "auto",
        precision: Literal["exact", "bf16", "fp16"] = "exact",
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill with a U-Net that sees values and mask (Ronneberger et al. 2015).

        Parameters
        ----------
        weights : str or path, optional
            The path of a ``.safetensors`` file of a U-Net; the shipped weights where not given.
        device, precision : str
            As of `convnp`.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError, WeightsError, DeviceError

        Examples
        --------
        >>> filled = ds.inpaint.unet()  # doctest: +SKIP
        """
        options = {"weights": weights, "device": device, "precision": precision}
        return fill(self._obj, "unet", options, observed, where)

    def partialconv(
        self,
        *,
        weights: str | PathLike[str] | None = None,
        device: str = "auto",
        precision: Literal["exact", "bf16", "fp16"] = "exact",
        observed: Mask = None,
        where: Mask = None,
    ) -> xr.Dataset:
        """Fill with partial convolutions, which give no uncertainty (Liu et al. 2018).

        Parameters
        ----------
        weights : str or path, optional
            The path of a ``.safetensors`` file of such a net; the shipped weights where not given.
        device, precision : str
            As of `convnp`.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError, WeightsError, DeviceError

        Examples
        --------
        >>> filled = ds.inpaint.partialconv()  # doctest: +SKIP
        """
        options = {"weights": weights, "device": device, "precision": precision}
        return fill(self._obj, "partialconv", options, observed, where)


def _drawn(
    obj: xr.Dataset | xr.DataArray,
    options: dict[str, Any],
    samples: int,
    observed: Mask,
    where: Mask,
) -> xr.Dataset:
    from xinpaint.cube.draws import draws
    from xinpaint.io.weights import filler
    from xinpaint.methods.others import check_whole

    check_whole("convnp", "samples", samples, least=1)
    made, given = filler("convnp", **options), {"observed": observed, "where": where}
    return draws(obj, made, samples, name="convnp", seed=options["seed"], **given)
