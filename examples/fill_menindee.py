"""Fill three real SLC-off dates of the Menindee Lakes, Australia, as one stack.

Needs the data folder: `XINPAINT_DATA=... python examples/fill_menindee.py [folder] [method]`.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr
from dask.diagnostics.progress import ProgressBar

import xinpaint  # noqa: F401  (registers .inpaint)
from xinpaint import plot

DATES = ("2010-01-16", "2010-02-01", "2010-05-08")

# Zarr 3 says so at every write; readers are faster with it.
warnings.filterwarnings("ignore", message="Consolidated metadata")


def open_stack(data: Path) -> xr.Dataset:
    """The three dates as bands over (time, y, x), int16, nodata -999."""
    scenes = []
    for date in DATES:
        path = data / "slc_off" / f"etm_menindee_australia_{date.replace('-', '')}.tif"
        scene = rioxarray.open_rasterio(path, chunks={"x": 512, "y": 512})
        names = scene.attrs.pop("long_name")
        scenes.append(scene.assign_coords(band=list(names)))
    times = xr.Variable("time", np.array(DATES, dtype="datetime64[ns]"))
    stack = xr.concat(scenes, times, combine_attrs="override")
    bands = {str(name): stack.sel(band=name, drop=True) for name in stack.band.values}
    return xr.Dataset(bands)


def main(folder: Path, method: str = "convnp") -> None:
    data = os.environ.get("XINPAINT_DATA")
    if not data or not (Path(data) / "slc_off").is_dir():
        sys.exit("set XINPAINT_DATA to the folder that holds slc_off/etm_menindee_australia_*.tif")
    folder.mkdir(parents=True, exist_ok=True)
    ds = open_stack(Path(data))
    print(ds)
    for date, share in zip(DATES, ds.inpaint.gaps().red.mean(("y", "x")).values, strict=True):
        print(f"  {date}  {share:6.1%} missing")

    filled = getattr(ds.inpaint, method)()
    store = folder / "menindee.zarr"
    shutil.rmtree(store, ignore_errors=True)
    with ProgressBar(dt=0.5):
        filled.to_zarr(store)

    filled = xr.open_zarr(store, decode_coords="all")
    window = {"y": slice(250, 750), "x": slice(900, 1500)}
    for time, date in enumerate(DATES):
        path = folder / f"menindee_{date}.png"
        figure = plot.before_after(
            ds.isel(window), filled.isel(window), bands=("swir1", "nir", "red"), time=time
        )
        figure.savefig(path)
        print(f"picture: {path.resolve()}")
    print(f"cube:    {store.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3])
