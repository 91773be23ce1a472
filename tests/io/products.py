"""Small Landsat products on disk, laid out and named as USGS delivers them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

BANDS = {"blue": 1, "green": 2, "red": 3, "nir08": 4, "swir16": 5, "swir22": 7}
#: Level 1's coefficients of these products: other than level 2's, under the same keys.
MULT, ADD, SUN = 1.8832e-3, -0.011874, 56.08655170
CLEAR, CLOUD, FILL = 5440, 5896, 1


def write_tiff(path: Path, values: NDArray, *, x=500_000, y=4_000_000, epsg=32618, **options):
    bands = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path, "w", driver="GTiff", dtype=bands.dtype, count=len(bands), crs=f"EPSG:{epsg}",
        height=bands.shape[1], width=bands.shape[2], transform=from_origin(x, y, 30, 30),
        tiled=True, blockxsize=16, blockysize=16, **options,
    ) as out:  # fmt: skip
        out.write(bands)


def metadata(product: str, *, day: str, level: str, sun: float = SUN) -> str:
    """A Collection 2 ``_MTL.txt``, cut down to the groups that matter."""
    ending = "SR_B" if level.startswith("L2") else "B"
    files = "\n".join(
        f'    FILE_NAME_BAND_{n} = "{product}_{ending}{n}.TIF"' for n in BANDS.values()
    )
    return f"""GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    LANDSAT_PRODUCT_ID = "{product}"
    PROCESSING_LEVEL = "{level}"
    COLLECTION_NUMBER = 02
{files}
    FILE_NAME_QUALITY_L1_PIXEL = "{product}_QA_PIXEL.TIF"
    FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION = "{product}_QA_RADSAT.TIF"
  END_GROUP = PRODUCT_CONTENTS
  GROUP = IMAGE_ATTRIBUTES
    SPACECRAFT_ID = "LANDSAT_7"
    SENSOR_ID = "ETM"
    DATE_ACQUIRED = {day}
    SCENE_CENTER_TIME = "15:09:50.1622771Z"
    SUN_ELEVATION = {sun}
  END_GROUP = IMAGE_ATTRIBUTES
{_level_2() if level.startswith("L2") else ""}  GROUP = LEVEL1_RADIOMETRIC_RESCALING
{_coefficients(MULT, ADD)}
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
END_GROUP = LANDSAT_METADATA_FILE
END
"""


def _level_2() -> str:
    return f"""  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
{_coefficients(2.75e-5, -0.2)}
  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
"""


def _coefficients(mult: float, add: float) -> str:
    lines = [
        f"    REFLECTANCE_{key}_BAND_{n} = {value}"
        for n in BANDS.values()
        for key, value in (("MULT", mult), ("ADD", add))
    ]
    return "\n".join(lines)


def product(
    folder: Path,
    *,
    day: str = "2005-01-04",
    level: str = "L2SP",
    shape: tuple[int, int] = (40, 50),
    sun: float = SUN,
    row: int = 59,
    x: int = 500_000,
    seed: int = 0,
    smooth: bool = False,
) -> tuple[Path, dict[str, NDArray]]:
    """Write a product; its folder, and every layer's numbers by name (``qa_pixel`` among them).

    0 is fill: a stripe of four rows in every band. One corner is cloud.
    """
    name = f"LE07_{level}_0070{row}_{day.replace('-', '')}_20200914_02_T1"
    home = folder / name
    home.mkdir(parents=True)
    (home / f"{name}_MTL.txt").write_text(metadata(name, day=day, level=level, sun=sun))
    rng = np.random.default_rng(seed)
    dtype, low, high = (np.uint16, 7300, 20_000) if level.startswith("L2") else (np.uint8, 1, 256)
    layers: dict[str, NDArray] = {}
    for common, number in BANDS.items():
        values = rng.integers(low, high, shape).astype(dtype)
        if smooth:  # land of two fields
            wave = np.sin(np.indices(shape).sum(0) / 9 + number + seed) + 1.2
            values = (low + wave / 2.2 * (high - low) * 0.8).astype(dtype)
        values[10:14] = 0
        layers[common] = values
        ending = f"SR_B{number}" if level.startswith("L2") else f"B{number}"
        write_tiff(home / f"{name}_{ending}.TIF", values, nodata=0, x=x)
    quality = np.full(shape, CLEAR, np.uint16)
    quality[10:14] = FILL
    quality[-8:, -8:] = CLOUD
    layers["qa_pixel"] = quality
    write_tiff(home / f"{name}_QA_PIXEL.TIF", quality, nodata=1, x=x)
    radsat = np.zeros(shape, np.uint16)
    radsat[0, :5] = 1 << 2
    layers["qa_radsat"] = radsat
    write_tiff(home / f"{name}_QA_RADSAT.TIF", radsat, x=x)
    return home, layers


def bomb(path: Path, side: int, block: int) -> None:
    """A TIFF of some hundred bytes that says it is huge."""
    tags = [
        (256, 4, side), (257, 4, side), (258, 3, 16), (259, 3, 8), (262, 3, 1), (277, 3, 1),
        (322, 4, block), (323, 4, block), (324, 4, 8), (325, 4, 1), (339, 3, 1),
    ]  # fmt: skip
    body = struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        body += struct.pack("<HHII", tag, kind, 1, value)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + body + b"\0" * 4 + b"\0" * 200)
    assert path.stat().st_size < 600
