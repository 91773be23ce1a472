"""What the rows say: questions with yes or no and figures, and where a rival wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.models.coherence import DEVIATIONS, VALUES, Agreement, ratio
from benchmarks.models.runs import OWN, Run
from benchmarks.models.scoring import CLASSICAL, GAPS, OOD, Row
from benchmarks.models.tables import INTERVALS, METRICS, mean_of, methods_in, one_run, pooled
from benchmarks.quality.report import Gain, gains, markdown, pick
from benchmarks.quality.scenes import KINDS, WIDE

#: Points that a coverage may be off, share that an autocorrelation may be.
POINTS, SHARE = 0.03, 0.2
#: Gain over the best classical filler that is asked for, in dB.
LEAST = 0.7


@dataclass(frozen=True)
class Claim:
    """A question, its answer, and the figures that it rests on."""

    text: str
    met: bool
    figures: str

    def __str__(self) -> str:
        return f"{'yes' if self.met else 'NO '}: {self.text}: {self.figures}"


def claims(rows: Sequence[Row], runs: Sequence[Run], found: Sequence[Agreement]) -> list[Claim]:
    """Every question that the rows can answer."""
    main = [r for r in one_run(rows) if r.split == OOD]
    names = [r.method for r in runs if r.main and r.first]
    made = [_classical(main), *(_wide(main, kind) for kind in WIDE)]
    for rival in ("unet", "partialconv"):
        made += [_over(main, own, rival) for own in (OWN, "convcnp") if {own, rival} <= {*names}]
    if {"convlnp", "convcnp"} <= {*names}:
        made.append(_latent(main))
    for method in dict.fromkeys(a.method for a in found):
        made += [_coherent(found, method, of) for of in (VALUES, DEVIATIONS)]
    made += [
        _covered(pick(main, method=m))
        for m in methods_in(main)
        if m in names and not math.isnan(pick(main, method=m)[0].sharpness)
    ]
    return made


def _gains(rows: Sequence[Row], kinds: Sequence[str]) -> list[Gain]:
    """Of the default over the best classical filler of each case and metric."""
    return gains([r for r in rows if r.mask in kinds], OWN, CLASSICAL)


def _classical(rows: Sequence[Row]) -> Claim:
    parts, scenes_better = [], {}
    for kinds in (tuple(KINDS), tuple(GAPS)):
        found = _gains(rows, kinds)
        psnr = fmean(g.value for g in found if g.metric == "psnr")
        scenes = sorted({g.scene for g in found})
        better = sum(
            fmean(g.value for g in found if g.metric == "ssim" and g.scene == s) > 0 for s in scenes
        )
        scenes_better[kinds] = better == len(scenes)
        parts.append((psnr, f"{psnr:+.2f} dB, SSIM better on {better}/{len(scenes)} scenes"))
    met = parts[0][0] >= LEAST and scenes_better[tuple(KINDS)]
    figures = f"{' and '.join(KINDS)} {parts[0][1]}; all kinds {parts[1][1]}"
    text = f"default over the best classical filler of each case by {LEAST} dB, SSIM everywhere"
    return Claim(text, met, figures)


def _wide(rows: Sequence[Row], kind: str) -> Claim:
    found = _gains(rows, (kind,))
    values = {m: [g.value for g in found if g.metric == m] for m in ("psnr", "ssim")}
    met = all(v > 0 for some in values.values() for v in some)
    told = ", ".join(
        f"{g.scene} {g.value:+.2f} dB ({g.rival})" for g in found if g.metric == "psnr"
    )
    ssim = sum(v > 0 for v in values["ssim"])
    text = f"{WIDE[kind]}: better than the best classical filler on every OOD scene"
    return Claim(text, met, f"{told}; SSIM better on {ssim}/{len(values['ssim'])}")


def _over(rows: Sequence[Row], own: str, rival: str) -> Claim:
    """Better in PSNR and CRPS on three of four scenes, and in the mean."""
    met, told = True, []
    scenes = sorted({r.scene for r in rows})
    for metric in ("psnr", "crps"):
        sign, form = METRICS[metric]
        by_scene = [
            sign * (mean_of(a, metric) - mean_of(b, metric))
            for a, b in (
                (pick(rows, scene=s, method=own), pick(rows, scene=s, method=rival)) for s in scenes
            )
        ]
        better, gain = sum(g > 0 for g in by_scene), fmean(by_scene)
        met &= better >= 0.75 * len(scenes) and gain > 0
        told.append(f"{metric.upper()} better on {better}/{len(scenes)}, by {gain:+{form}}")
    budget = "default" if own == OWN else f"{own}, same budget,"
    return Claim(f"{budget} over {rival}, OOD", met, "; ".join(told))


def _latent(rows: Sequence[Row]) -> Claim:
    """Two standard errors of the difference, case by case, are the noise."""
    met, told = True, []
    for metric in ("crps", "ssim"):
        sign, form = METRICS[metric]
        cases = [
            {(r.scene, r.mask, r.seed): getattr(r, metric) for r in pick(rows, method=m)}
            for m in ("convlnp", "convcnp")
        ]
        apart = [sign * (cases[0][c] - cases[1][c]) for c in cases[0]]
        noise = 2 * stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else math.inf
        met &= fmean(apart) + noise >= 0
        told.append(f"{metric.upper()} {fmean(apart):+{form}} ± {noise:{form}} better")
    return Claim("ConvLNP's mean as good as ConvCNP within noise", met, "; ".join(told))


def _coherent(found: Sequence[Agreement], method: str, of: str) -> Claim:
    told = ratio(found, method, of)
    text = f"draws of {method}: autocorrelation of {of} in gaps within {SHARE:.0%} of the truth's"
    return Claim(text, abs(told - 1) <= SHARE, f"{told:.2f} times the truth's")


def _covered(rows: Sequence[Row]) -> Claim:
    told = {level: pooled(rows, level) for level in INTERVALS}
    met = all(abs(share - level) <= POINTS for level, share in told.items())
    figures = ", ".join(f"{level:.0%} covers {share:.1%}" for level, share in told.items())
    text = f"{rows[0].method}: coverage, pooled over OOD, within {100 * POINTS:.0f} points"
    return Claim(text, met, figures)


def best(rows: Sequence[Row], metric: str, scene: str, kind: str) -> tuple[str, dict[str, float]]:
    """The best method of a case, and every method's mean with the sign that makes more better."""
    sign = METRICS[metric][0]
    case = pick(rows, scene=scene, mask=kind)
    scores = {m: sign * mean_of(pick(case, method=m), metric) for m in methods_in(case)}
    return max(scores, key=lambda m: scores[m]), scores


def defeats(rows: Sequence[Row]) -> str:
    """Every OOD case and metric in which another method than the default is best."""
    main = [r for r in one_run(rows) if r.split == OOD]
    lines = []
    for scene, kind in sorted({(r.scene, r.mask) for r in main}):
        for metric, (_, form) in METRICS.items():
            first, scores = best(main, metric, scene, kind)
            if first != OWN:
                gain = scores[first] - scores[OWN]
                lines.append([scene, kind, metric.upper(), first, f"{gain:{form}}"])
    total = len({(r.scene, r.mask) for r in main}) * len(METRICS)
    if not lines:
        return f"Nowhere: `{OWN}` is the best in all {total} (scene, gaps, metric)."
    head = ["scene", "gaps", "metric", "best", "better by"]
    said = f"`{OWN}` is not the best in {len(lines)} of {total} (scene, gaps, metric):"
    return f"{said}\n\n{markdown([head, ['---'] * 5, *lines])}"


def wins(rows: Sequence[Row], runs: Sequence[Run]) -> str:
    """In how many OOD cases each net trained alike is the best of these nets, by metric."""
    names = [r.method for r in runs if r.main and r.first and r.method != OWN]
    main = [r for r in one_run(rows) if r.split == OOD and r.method in names]
    cases = sorted({(r.scene, r.mask) for r in main})
    first = {m: [best(main, m, *case)[0] for case in cases] for m in METRICS}
    lines = [["method", *(m.upper() for m in METRICS)], ["---"] * 5]
    lines += [[n, *(f"{first[m].count(n)}/{len(cases)}" for m in METRICS)] for n in names]
    return markdown(lines)
