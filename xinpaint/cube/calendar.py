"""Whether a cube's dates are fit for a method that looks along time."""

from __future__ import annotations

import numpy as np

from xinpaint.core.notes import tell
from xinpaint.core.tiling import Halo
from xinpaint.cube.schema import Cube
from xinpaint.errors import SchemaError
from xinpaint.methods.base import Filler


def suited(cube: Cube, filler: Filler, *, warn: bool = True) -> Filler:
    """The filler, without other dates where it may do so and the cube has none.

    Parameters
    ----------
    cube : Cube
    filler : Filler
    warn : bool
        Also say where a method gets less from the cube's dates than somebody might think.

    Raises
    ------
    SchemaError
        Where a method that looks along time cannot use the cube's dates.
    """
    wish = getattr(filler, "context", None)
    if wish in ("auto", "time") and not _has_dates(cube):
        if wish == "time":
            raise SchemaError(
                "context='time' needs a time dim with a coordinate and two dates or more; found "
                f"dims {dict(cube.dataset.sizes)}: use context='space'"
            )
        if warn:
            _warn_of_dates(cube)
        alone: Filler = filler.in_space()  # type: ignore[attr-defined]
        return alone
    check_time(cube, filler.halo)
    if warn and filler.halo.t != 0:
        _warn_of_years(cube)
    if warn and filler.halo.t != 0 and all(len(group.days) < 2 for group in cube.groups):
        tell(
            "this method looks at other dates and the cube has none: nothing can be filled; give "
            "it more dates, or use a method of space such as convnp or biharmonic"
        )
    elif filler.halo.t != 0 and (far := _too_far(cube, filler)):
        if wish == "time":
            raise SchemaError(f"context='time', but {far}: allow more days, or use context='space'")
        if warn:
            what = "each is filled from itself alone" if wish else "nothing can be filled"
            tell(f"{far}, so {what}; allow more days")
    elif warn and filler.halo.t != 0 and wish != "auto" and (lone := _lonely(cube, filler)):
        what = "filled from itself alone" if wish else "not filled"
        tell(f"{lone}, so it is {what}; allow more days")
    return filler


def _warn_of_years(cube: Cube) -> None:
    """Say so where numbers that are taken for days look like years."""
    for group in cube.groups:
        days = group.days
        if group.dims.time is None or cube.dataset[group.dims.time].dtype.kind not in "iuf":
            continue
        if len(days) > 1 and ((days // 100 - 20) ** 2 < 4).all() and np.ptp(days) < 100:
            time = str(group.dims.time)
            years = f"ds[{time!r}].values"
            how = f"pandas.to_datetime({years}.astype('int64').astype(str), format='%Y')"
            if (days != np.rint(days)).any():
                how = f"pandas.Timestamp(0) + pandas.to_timedelta(({years} - 1970) * 365.2425, 'D')"
            tell(
                f"coordinate {time!r} holds numbers such as {days[0]:g}, taken for days; if they "
                f"are years, use ds.assign_coords({time}={how})"
            )
            return


def _too_far(cube: Cube, filler: Filler) -> str:
    """In words, that no two dates lie within the filler's `max_days`; nothing where some do."""
    most = getattr(filler, "max_days", None)
    steps = [float(np.diff(group.days).min()) for group in cube.groups if len(group.days) > 1]
    if most is None or not steps or min(steps) <= most:
        return ""
    return f"no two dates lie within max_days = {most:g} (the nearest are {min(steps):g} apart)"


def _lonely(cube: Cube, filler: Filler) -> str:
    """In words, the first date that has no other one within `max_days`, if there is one."""
    most = getattr(filler, "max_days", None)
    for group in cube.groups:
        if most is None or len(group.days) < 2:
            continue
        step = np.diff(group.days)
        nearest = np.minimum(np.append(np.inf, step), np.append(step, np.inf))
        if (nearest > most).any():
            first = int(np.argmax(nearest > most))
            date = str(cube.dataset[group.dims.time].values[first])[:10]
            away = f"the nearest is {nearest[first]:g} away"
            return f"{date} has no other date within max_days = {most:g} ({away})"
    return ""


def _has_dates(cube: Cube) -> bool:
    return any(
        group.dims.time in cube.dataset.coords and len(group.days) > 1 for group in cube.groups
    )


def _warn_of_dates(cube: Cube) -> None:
    """Say so where there are several images and only their dates are missing."""
    for group in cube.groups:
        time = group.dims.time
        if time is not None and time not in cube.dataset.coords and len(group.days) > 1:
            tell(
                f"dim {time!r} has {len(group.days)} images but no dates, so each image is filled "
                f"from itself alone; add the dates with ds.assign_coords({time}=...), or say "
                "context='space'"
            )
            return


def check_time(cube: Cube, halo: Halo) -> None:
    """Raise SchemaError where a method that looks along time cannot use the cube's dates."""
    if halo.t == 0:
        return
    for group in cube.groups:
        time = group.dims.time
        if time is None:
            continue
        if time not in cube.dataset.coords:
            raise SchemaError(
                f"dim {time!r} has no coordinate, but this method looks along time; "
                f"assign the dates with ds.assign_coords({time}=...)"
            )
        if not np.isfinite(group.days).all():
            raise SchemaError(f"coordinate {time!r} holds NaT or NaN; drop those dates first")
        step = np.diff(group.days)
        if np.any(step == 0):
            again = cube.dataset[time].values[1:][step == 0][0]
            raise SchemaError(
                f"duplicate time {again} in {time!r}, but this method looks along time; fill from "
                "space alone with convnp(context='space'), or, with gaps(observed=...) if you "
                "pass a mask, merge the duplicates: "
                f"ds.where(~ds.inpaint.gaps()).groupby({str(time)!r}).first()"
            )
        if np.any(step < 0):
            raise SchemaError(
                f"{time!r} is not in ascending order, but this method looks along time; "
                f"use ds.sortby({str(time)!r}), or fill from space alone: convnp(context='space')"
            )
