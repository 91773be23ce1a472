"""Fill a real Landsat 7 SLC-off scene of Colombia: from the files to a filled cube.

The scene is level 1: its ``_MTL.txt`` makes top-of-atmosphere reflectance of its numbers,
and its quality band says where clouds are. Stripes and small clouds are filled. What lies more than
64 pixels under a cloud is left missing, and so is everything beyond the swath's edge.

Needs the data folder: `XINPAINT_DATA=... python examples/fill_colombia.py [folder] [method]`.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from pathlib import Path

from dask.diagnostics.progress import ProgressBar

import xinpaint
from xinpaint import plot

# Zarr 3 says so at every write; readers are faster with it.
warnings.filterwarnings("ignore", message="Consolidated metadata")


def main(folder: Path, method: str = "convnp") -> None:
    data = os.environ.get("XINPAINT_DATA")
    if not data or not (Path(data) / "slc_off").is_dir():
        sys.exit("set XINPAINT_DATA to the folder that holds slc_off/etm_colombia_20161209.tif")
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "colombia.zarr"
    shutil.rmtree(store, ignore_errors=True)

    ds = xinpaint.open_scenes(Path(data) / "slc_off" / "etm_colombia_20161209_MTL.txt")
    filled = getattr(ds.inpaint, method)()
    with ProgressBar(dt=0.5):
        filled.to_zarr(store)

    print(ds)
    missing = ds.inpaint.gaps().squeeze("time")
    print(f"missing or cloudy: {float(missing.red.mean()):.1%}")
    scene = ds.drop_vars(["observed", "qa"]).squeeze("time")
    gappy = scene.where(~missing)
    again = xinpaint.open_scenes(store).squeeze("time")
    for name, bands in {
        "true": ("red", "green", "blue"),
        "false": ("nir08", "swir16", "red"),
    }.items():
        path = folder / f"colombia_{name}.png"
        plot.before_after(gappy, again, bands=bands).savefig(path)
        print(f"picture: {path.resolve()}")
    print(f"cube:    {store.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3])
