"""A tiny recipe, and what its log says."""

import csv

SMALL = {
    "name": "tiny",
    "images": ("train/*.tif",),
    "masks": ("masks/*.npz",),
    "validation": ("held",),
    "numbers": {"widths": [8, 8, 8], "shared": [0, 8, 8]},
    "patch": 72,
    "batch": 2,
    "steps": 12,
    "warmup": 2,
    "save_every": 2,
    "validate_every": 6,
    "licence": "none",
    "reference": "none",
}


def losses_of(path):
    with open(path / "log.csv") as file:
        return [(int(r["step"]), float(r["loss"])) for r in csv.DictReader(file)]
