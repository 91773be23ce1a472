"""Fill a real Landsat 7 SLC-off scene of Colombia; clouds are found by its QA band.

Stripes and small clouds are filled. What lies more than 64 pixels under a cloud is left missing,
and so is everything beyond the swath's edge.

Needs the data folder: `XINPAINT_DATA=... python examples/fill_colombia.py [folder] [method]`.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from pathlib import Path

import rioxarray
import xarray as xr
from dask.diagnostics.progress import ProgressBar

import xinpaint  # noqa: F401  (registers .inpaint)
from xinpaint import plot

#: Bits of a Collection 1 pixel_qa: 3 cloud shadow, 5 cloud.
CLOUDY = 1 << 3 | 1 << 5

# Zarr 3 says so at every write; readers are faster with it.
warnings.filterwarnings("ignore", message="Consolidated metadata")


def open_scene(data: Path) -> tuple[xr.Dataset, xr.DataArray]:
    """The scene as six uint8 bands over (y, x), nodata 0, and where it shows clear ground."""
    path = data / "slc_off" / "etm_colombia_20161209.tif"
    chunks = {"x": 512, "y": 512}
    scene = rioxarray.open_rasterio(path, chunks=chunks)
    names = scene.attrs.pop("long_name")
    bands = {name: scene.isel(band=k, drop=True) for k, name in enumerate(names)}
    qa = rioxarray.open_rasterio(path.with_name(f"{path.stem}_pixel_qa.tif"), chunks=chunks)
    qa = qa.isel(band=0, drop=True)
    return xr.Dataset(bands), (qa & CLOUDY) == 0


def main(folder: Path, method: str = "convnp") -> None:
    data = os.environ.get("XINPAINT_DATA")
    if not data or not (Path(data) / "slc_off").is_dir():
        sys.exit("set XINPAINT_DATA to the folder that holds slc_off/etm_colombia_20161209.tif")
    folder.mkdir(parents=True, exist_ok=True)
    ds, clear = open_scene(Path(data))
    print(ds)
    missing = ds.inpaint.gaps(observed=clear)
    print(f"missing or cloudy: {float(missing.red.mean()):.1%}")

    filled = getattr(ds.inpaint, method)(observed=clear)
    store = folder / "colombia.zarr"
    shutil.rmtree(store, ignore_errors=True)
    with ProgressBar(dt=0.5):
        filled.to_zarr(store)

    filled = xr.open_zarr(store, decode_coords="all")
    gappy = ds.where(~missing, 0).astype("uint8")
    for name in ds:
        gappy[name].attrs = ds[name].attrs
    for name, bands in {"true": ("red", "green", "blue"), "false": ("nir", "swir1", "red")}.items():
        path = folder / f"colombia_{name}.png"
        plot.before_after(gappy, filled, bands=bands).savefig(path)
        print(f"picture: {path.resolve()}")
    print(f"cube:    {store.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3])
