"""Where things lie in the tutorial's invented landscape: relief, water, fields, roads, town.

Everything is drawn on a grid twice as fine as the image, in fine pixels, so that thin things
come out mixed as they do in a 30 m pixel. A larger image shows more land, not larger fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Map = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

#: Fine pixels a side of an image pixel.
FINE = 2


@dataclass(frozen=True, eq=False)
class Ground:
    """What does not change from date to date, all ``[y x]`` on the fine grid.

    Parameters
    ----------
    slopes : float32 ``[2 y x]``
        Gradient of the relief along y and x, metre a metre.
    upland : float32
        0 plain to 1 hills.
    parcel, house : int32
        Which field, which town plot.
    grain, streaks, soil, canopy : float32
        Textures, standard normal: broad, along the plough, soil colour, fine.
    river, lake : float32
        Height above the mean water level of river and lakes, in units of the seasonal swing.
    forest, town, road : float32
        Share of the pixel covered, 0 to 1.
    """

    slopes: Map
    upland: Map
    parcel: NDArray[np.int32]
    house: NDArray[np.int32]
    grain: Map
    streaks: Map
    soil: Map
    canopy: Map
    river: Map
    lake: Map
    forest: Map
    town: Map
    road: Map


def fractal(size: int, rng: np.random.Generator, *, longest: float, power: float) -> Map:
    """Gaussian noise of spectrum ``k**-power`` up to wavelength `longest`; mean 0, std 1."""
    ky = fft.fftfreq(size)[:, None]
    kx = fft.rfftfreq(size)[None, :]
    amplitude = (ky**2 + kx**2 + longest**-2.0) ** (-power / 4)
    amplitude[0, 0] = 0
    white = fft.rfft2(rng.normal(size=(size, size)))
    field = fft.irfft2(white * amplitude, s=(size, size))
    return np.asarray(field / field.std(), dtype=np.float32)


def soft(value: Map, low: float, high: float) -> Map:
    """Smooth step: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def ground(size: int, seed: int) -> Ground:
    """Invent a landscape of `size` × `size` image pixels."""
    rng = np.random.default_rng([seed, 1])
    n = size * FINE
    rows, cols = np.mgrid[0:n, 0:n].astype(np.float32)
    broad = fractal(n, rng, longest=400, power=3.4)
    # Hills in the north-west, the plain below them.
    upland = soft(0.9 - (0.75 * cols + 1.0 * rows) / n + 0.16 * broad, 0.10, 0.5)
    relief = _relief(n, rng, ndimage.gaussian_filter(upland, 16))
    slopes = np.stack([np.gradient(relief, 30.0 / FINE, axis=axis) for axis in (0, 1)])
    centre = _river_line(n, rng)
    river, distance = _river(n, rng, centre)
    lake = _lakes(n, rng, river)
    parcel, streaks, tracks = _fields(rows, cols, rng)
    town, house, roads = _town(n, rng, rows, cols, centre)
    grain = fractal(n, rng, longest=60, power=2.6)
    canopy = fractal(n, rng, longest=8, power=1.2)
    woods = fractal(n, rng, longest=120, power=3.0)
    shade = ndimage.gaussian_filter(slopes[0], 3) / 0.15  # more trees on slopes facing north
    forest = soft(woods + 1.7 * upland - 1.45 + 0.35 * np.clip(shade, -2, 2), 0.05, 0.25) * upland
    forest = np.maximum(
        forest, soft(woods - distance / 14 + 0.3 * canopy, -0.35, 0.15) * (distance < 40)
    )
    dry = (river > 0.6) & (lake > 0.6)
    open_land = (1 - soft(upland, 0.25, 0.5)) * (1 - forest) * dry
    return Ground(
        slopes=slopes.astype(np.float32),
        upland=upland,
        parcel=parcel,
        house=house,
        grain=grain,
        streaks=streaks,
        soil=fractal(n, rng, longest=300, power=3.0),
        canopy=canopy,
        river=river,
        lake=lake,
        forest=np.asarray(forest * (1 - town), dtype=np.float32),
        town=np.asarray(town * dry, dtype=np.float32),
        road=np.maximum(roads, tracks * open_land).astype(np.float32),
    )


def _relief(n: int, rng: np.random.Generator, upland: Map) -> Map:
    """Height in metres: ridges and side valleys in the hills, a gentle swell in the plain."""
    warp = [fractal(n, rng, longest=80, power=4.5) * 5 for _ in range(2)]
    rows, cols = np.mgrid[0:n, 0:n]
    hills, weight = np.zeros((n, n), np.float32), np.ones((n, n), np.float32)
    for octave in range(3):
        noise = fractal(n, rng, longest=90 / 2**octave, power=7.0)
        ridge = (1 - np.minimum(np.abs(noise), 1.6) / 1.6) * weight
        hills += ridge * 0.42**octave
        weight = np.clip(1.5 * ridge, 0.1, 1)
    hills = ndimage.map_coordinates(hills, [rows + warp[0], cols + warp[1]], order=1, mode="wrap")
    hills = ndimage.gaussian_filter(hills, 0.9)
    plain = fractal(n, rng, longest=200, power=3.4)
    rough = fractal(n, rng, longest=40, power=3.6)
    return np.asarray(
        upland * (430 * hills + 2 * rough) + 160 * upland + 4 * plain, dtype=np.float32
    )


def _river_line(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Centre line ``[point, (y, x)]``: its heading swings to and fro, by no strict period."""
    step = 0.5
    length = np.arange(0, 4.5 * n, step)
    white = rng.normal(size=length.size)
    swing = ndimage.gaussian_filter1d(white, 34) - ndimage.gaussian_filter1d(white, 75)
    angle = 1.25 * np.tanh(swing / swing.std()) - 0.42
    x = np.cumsum(np.cos(angle)) * step - 40
    y = np.cumsum(np.sin(angle)) * step
    inside = (x > -20) & (x < n + 20)
    y += 0.67 * n - y[inside].mean()
    return np.stack([y[inside], x[inside]], axis=1)


def _distance(n: int, line: NDArray[np.float64]) -> Map:
    """Distance of every fine pixel to a line of points, in fine pixels."""
    at = np.rint(line).astype(int) + 30
    wide = np.ones((n + 60, n + 60), bool)
    at = at[np.all((at >= 0) & (at < n + 60), axis=1)]
    wide[at[:, 0], at[:, 1]] = False
    return np.asarray(ndimage.distance_transform_edt(wide)[30:-30, 30:-30], dtype=np.float32)


def _river(n: int, rng: np.random.Generator, centre: NDArray[np.float64]) -> tuple[Map, Map]:
    """Height above the river's mean level, and distance from its centre line."""
    distance = _distance(n, centre)
    distance = ndimage.gaussian_filter(distance, 0.8)
    half = 3.6 + 0.6 * fractal(n, rng, longest=120, power=3.2)
    scroll = fractal(n, rng, longest=34, power=3.4)  # old channels of the flood plain
    bank = (distance - half) / 3.6
    plain = 0.55 + (distance - half) / 55 + 0.55 * scroll
    height = np.where(bank < 0, bank, np.minimum(bank, np.maximum(plain, 0.18 * bank + 0.05)))
    return np.asarray(height, dtype=np.float32), distance


def _lakes(n: int, rng: np.random.Generator, river: Map) -> Map:
    """Height above the lakes' mean level: one reservoir below the hills, a few ponds."""
    rows, cols = np.mgrid[0:n, 0:n].astype(np.float32)
    shore = fractal(n, rng, longest=90, power=3.2)
    height = np.full((n, n), 9, np.float32)
    for reach, count in ((34.0, max(1, n // 700)), (9.0, 3 + n // 200)):
        for _ in range(count):
            y, x = _dry_place(n, rng, river, large=reach > 20)
            turn = rng.uniform(0, np.pi)
            along = np.cos(turn) * (cols - x) + np.sin(turn) * (rows - y)
            across = np.cos(turn) * (rows - y) - np.sin(turn) * (cols - x)
            far = np.hypot(along / 1.35, across * 1.2) / reach
            height = np.minimum(height, (far - 1) * reach / 7 + 1.5 * shore * min(1, reach / 30))
    return height


def _dry_place(n: int, rng: np.random.Generator, river: Map, *, large: bool) -> tuple[float, float]:
    """Find a place for a lake, away from the river; large ones below the hills."""
    for _ in range(50):
        y, x = rng.uniform(0.08, 0.92, 2)
        if large:
            y, x = rng.uniform(0.12, 0.4), rng.uniform(0.55, 0.85)
        if river[int(y * n), int(x * n)] > (1.6 if large else 1.2) and y + 0.75 * x > 0.6:
            break
    return y * n, x * n


def _fields(rows: Map, cols: Map, rng: np.random.Generator) -> tuple[NDArray[np.int32], Map, Map]:
    """Parcel numbers, plough streaks and tracks: two districts, each with its own plan."""
    n = rows.shape[0]
    bend = [2.2 * fractal(n, rng, longest=260, power=3.6) for _ in range(2)]
    district = (cols - 0.56 * n) + 0.3 * (rows - n) + 30 * fractal(
        n, rng, longest=300, power=3.6
    ) > 0
    parts = []
    for degrees, block, smallest in ((rng.uniform(6, 18), 58, 13), (rng.uniform(-38, -24), 38, 8)):
        turn = np.deg2rad(degrees)
        u = np.cos(turn) * cols + np.sin(turn) * rows + bend[0]
        v = np.cos(turn) * rows - np.sin(turn) * cols + bend[1]
        at = (v - v.min()).astype(np.int32), (u - u.min()).astype(np.int32)
        plan, track = _plan(int(at[0].max()) + 1, int(at[1].max()) + 1, rng, block, smallest)
        plough = ndimage.gaussian_filter(rng.normal(size=plan.shape), (0.8, 9)) * 6
        parts.append((plan[at], plough[at], track[at]))
    parts[1][0][...] += parts[0][0].max() + 1
    parcel, streaks, track = (np.where(district, b, a) for a, b in zip(*parts, strict=True))
    border = ndimage.binary_dilation(district) & ~district
    return parcel.astype(np.int32), streaks.astype(np.float32), np.maximum(track, border)


def _plan(
    height: int, width: int, rng: np.random.Generator, block: int, smallest: int
) -> tuple[NDArray[np.int32], Map]:
    """Blocks between tracks, each cut again and again into rectangular fields."""
    plan = np.zeros((height, width), np.int32)
    track = np.zeros((height, width), np.float32)
    edges = [
        np.cumsum(rng.uniform(0.6, 1.4, s // block * 2 + 2) * block).astype(int)
        for s in (height, width)
    ]
    tops, lefts = ([0, *e[e < s], s] for e, s in zip(edges, (height, width), strict=True))
    for top in tops[1:-1]:
        track[top, :] = rng.choice([0.0, 0.45, 0.9])
    for left in lefts[1:-1]:
        track[:, left] = rng.choice([0.0, 0.45, 0.9])
    stack = [(a, b, c, d) for a, b in pairwise(tops) for c, d in pairwise(lefts)]
    number = 0
    while stack:
        a, b, c, d = stack.pop()
        tall, wide = b - a, d - c
        if max(tall, wide) < 2 * smallest or (
            max(tall, wide) < block * 0.9 and rng.random() < 0.22
        ):
            number += 1
            plan[a:b, c:d] = number
        elif tall * rng.uniform(0.6, 1.7) > wide:
            cut = a + int(tall * rng.uniform(0.35, 0.65))
            stack += [(a, cut, c, d), (cut, b, c, d)]
        else:
            cut = c + int(wide * rng.uniform(0.35, 0.65))
            stack += [(a, b, c, cut), (a, b, cut, d)]
    return plan, track


def _town(
    n: int, rng: np.random.Generator, rows: Map, cols: Map, centre: NDArray[np.float64]
) -> tuple[Map, NDArray[np.int32], Map]:
    """Share built up, plot numbers, and the main roads that meet in the town and villages."""
    bridge = centre[int(len(centre) * rng.uniform(0.5, 0.62))]
    places = [(bridge[0] - 34, bridge[1] + 6, 30.0)]
    for _ in range(2 + n // 256):
        places.append((rng.uniform(0.3, 0.95) * n, rng.uniform(0.1, 0.95) * n, rng.uniform(6, 10)))
    rough = fractal(n, rng, longest=40, power=2.6)
    built = np.zeros((n, n), np.float32)
    for y, x, reach in places:
        built = np.maximum(
            built, soft(1 - np.hypot(rows - y, cols - x) / reach + 0.3 * rough, 0, 0.3)
        )
    turn = np.deg2rad(rng.uniform(10, 30))
    u = np.cos(turn) * cols + np.sin(turn) * rows + n
    v = np.cos(turn) * rows - np.sin(turn) * cols + n
    plan, _ = _plan(int(v.max()) + 1, int(u.max()) + 1, rng, 16, 3)
    along = np.linspace(0, 1, 6 * n)
    distance = np.full((n, n), np.inf, np.float32)
    bends = ndimage.gaussian_filter1d(rng.normal(size=(8, along.size)), n / 3, axis=1)
    bends *= 5 / bends.std()
    for k, (dy, dx) in enumerate(((-0.25, 1.0), (0.3, -1.0), (-1.0, -0.35), (1.0, 0.2))):
        line = np.stack(
            [places[0][0] + dy * 1.4 * n * along, places[0][1] + dx * 1.4 * n * along], 1
        )
        line += (bends[2 * k : 2 * k + 2] * soft(along.astype(np.float32), 0, 0.2)).T
        distance = np.minimum(distance, _distance(n, line))
    return built, plan[v.astype(int), u.astype(int)], soft(-distance, -1.3, -0.2)
