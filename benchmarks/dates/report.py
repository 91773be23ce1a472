"""Rows -> tables -> docs/results-time.md."""

from __future__ import annotations

import math
from statistics import fmean

import xinpaint
from benchmarks.dates.scoring import AGREEMENT, NEAR_LIE, Row

#: How the methods of our own are called; the number of other dates follows.
OWN = "convnp K="


def table(rows: list[Row]) -> str:
    """Markdown: a line a method, a column a case (PSNR; mean over masks), then means."""
    cases = sorted({(r.case, r.kind) for r in rows})
    names = list(dict.fromkeys(r.method for r in rows))
    head = ["method", *(f"{c} {k}" for c, k in cases), "mean PSNR", "worst", "SSIM", "90 %"]
    head += ["answered", "error under change", "s / Mpx"]
    lines = [head, ["---"] * len(head)]
    for name in names:
        own = [r for r in rows if r.method == name]
        by_case = [_mean(rows, name, case) for case in cases]
        pixels = sum(r.hidden for r in own)
        lines.append(
            [
                name,
                *(_number(v) for v in by_case),
                f"**{_number(fmean(by_case))}**",
                _number(min(by_case)),
                _number(fmean(r.ssim for r in own), 4),
                _share(sum(r.coverage * r.hidden for r in own) / pixels),
                _share(sum(r.answered * r.hidden for r in own) / pixels),
                _number(fmean(r.planted for r in own), 4),
                _number(1e6 * sum(r.seconds for r in own) / pixels, 1),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def gains(rows: list[Row]) -> str:
    """What `convnp` with the most dates gains in PSNR, case by case, over the best other."""
    own = max((r.method for r in rows if r.method.startswith(OWN)), default="", key=_count)
    space = f"{OWN}0"
    rivals = [r.method for r in rows if not r.method.startswith((OWN, AGREEMENT))]
    lines = []
    for title, others in (
        ("the best other method of each case", rivals),
        ("K = 0", [space] if space != own else []),
    ):
        found = []
        for case in sorted({(r.case, r.kind) for r in rows}):
            scores = {m: _mean(rows, m, case) for m in dict.fromkeys(others)}
            known = {m: v for m, v in scores.items() if not math.isnan(v)}
            if known:
                best = max(known, key=known.__getitem__)
                found.append((_mean(rows, own, case) - known[best], " ".join(case), best))
        if found:
            worst = min(found)
            lines.append(
                f"`{own}` over {title}: **{fmean(g for g, _, _ in found):+.2f} dB** in the mean, "
                f"better on {sum(g > 0 for g, _, _ in found)} of {len(found)}; "
                f"worst {worst[0]:+.2f} ({worst[1]}, {worst[2]})."
            )
    return "\n\n".join(lines + _lies(rows))


def _lies(rows: list[Row]) -> list[str]:
    """How much `convnp` errs where the other date lies, against itself without that date."""
    by_name = {m: [r for r in rows if r.method == m] for m in (f"{OWN}0", f"{OWN}1")}
    space, time = by_name.values()
    if not space or not time or math.isnan(fmean(r.planted for r in space)):
        return []
    all_of, shown = (
        fmean(getattr(r, what) for r in time) / fmean(getattr(r, what) for r in space)
        for what in ("planted", "shown")
    )
    told = (
        f"Where the other date lies, `{OWN}1` errs **{all_of:.2f}** times as much as `{OWN}0`; "
        f"within {NEAR_LIE} pixels of a lie that the target date's own pixels show, "
        f"**{shown:.2f}** times."
    )
    return [told]


def _count(method: str) -> int:
    return int(method.removeprefix(OWN))


def _mean(rows: list[Row], method: str, case: tuple[str, str]) -> float:
    """Mean PSNR of a method over the masks of a case."""
    own = [r.psnr for r in rows if r.method == method and (r.case, r.kind) == case]
    known = [v for v in own if not math.isnan(v)]
    return fmean(known) if known else math.nan


def page(parts: dict[str, list[Row]], sha256: str) -> str:
    """The whole of docs/results-time.md."""
    tables = [f"## {title}\n\n{gains(rows)}\n\n{table(rows)}" for title, rows in parts.items()]
    return _PAGE.format(
        version=xinpaint.__version__, sha256=sha256[:12], tables="\n\n".join(tables)
    )


def _number(value: float, digits: int = 2) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"


_PAGE = """# Results with other dates

After this page you can judge what other dates add to a fill, and what they cost.

Written by `python -m benchmarks.dates` (xinpaint {version}, weights `{sha256}`). Do not edit.

PSNR of the hidden pixels, all bands pooled, each band stretched by the 1st and 99th percentile of
the target date; a pixel that a method does not answer is not scored (see *answered*). K is the
number of other dates `convnp` may look at, the nearest in time; the other methods of time get six,
the harmonic fit sixty. "(both images)" is how well the image that the truth comes from agrees with
the target date where both saw the ground: about the best that can be seen. "s / Mpx" is
seconds for a million hidden band-pixels, on the machine that wrote this page; only ratios mean
anything.

{tables}
"""
