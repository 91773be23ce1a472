"""Training of water classes: tasks from water years, masked cross-entropy, and calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core.classes import calibration_error, confusion, f1, iou, reliability
from xinpaint.errors import RecipeError
from xinpaint.train.cubes import read_masks
from xinpaint.train.data import Bool, Float
from xinpaint.train.labelled import LabelledYear, cut, read_years
from xinpaint.train.recipe import Recipe
from xinpaint.train.scenes import Simulator, read_scenes, read_shores
from xinpaint.water.extent import NO_DATA
from xinpaint.water.years import WaterYear

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

#: Months of a training task and how often: three are what is asked for most.
MONTHS = {3: 0.7, 1: 0.05, 2: 0.05, 4: 0.05, 5: 0.05, 6: 0.05, 12: 0.05}
#: Years of validation a scene, each with lakes of its own.
YEARS = 12
#: What the card says of the bands.
BANDS = "red, nir, swir1, in this order, as reflectance of 0 to 1"


@dataclass(frozen=True, eq=False)
class Batch:
    """Tasks of one step: `images` float32 ``[n t b y x]``, `seen` and `label` uint8 ``[n y x]``."""

    images: Float
    seen: Bool
    label: NDArray[np.uint8]

    def to(self, device: str) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Label, where it counts, and what a net is given: values and what was seen."""
        import torch

        label = torch.from_numpy(self.label.astype(np.int64))
        seen = torch.from_numpy(self.seen.astype(np.float32))
        values = torch.from_numpy(self.images)
        context = seen[:, :, None].expand_as(values).to(device)
        counts = label != NO_DATA
        return label.to(device), counts.to(device), (values.to(device) * context, context)


@dataclass(frozen=True)
class Score:
    """Over all labelled pixels: mean IoU, macro-F1, IoU of seasonal water, calibration error."""

    miou: float
    f1: float
    seasonal: float
    ece: float

    @property
    def cost(self) -> float:
        """What patience wants smaller: the mean IoU, turned round."""
        return -self.miou

    def asdict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"mIoU {self.miou:.3f}, macro-F1 {self.f1:.3f}, seasonal IoU {self.seasonal:.3f}, "
            f"calibration error {self.ece:.4f}"
        )


def gather(plan: Recipe, folder: Path) -> tuple[Callable[[int], Batch], list[Batch]]:
    """How the data of a step is made, and the fixed validation tasks."""
    if plan.labels:
        return _gather_real(plan, folder)
    scenes = read_scenes(folder, plan.reflectance)
    held = [s for s in scenes if any(v in s.name for v in plan.validation)]
    scenes = [s for s in scenes if s not in held and min(s.valid.shape) >= plan.patch]
    if not held or not scenes:
        raise RecipeError(
            f"{len(scenes)} training and {len(held)} validation scenes: check reflectance and "
            "validation"
        )
    bank = read_masks(folder, plan.masks)
    learn = Simulator(scenes, read_shores(folder, plan.shores, "train"), bank)
    check = Simulator(held, read_shores(folder, plan.shores, "validation"), bank)

    def batch(step: int) -> Batch:
        months = _months(plan.seed, step)
        seeds = [[plan.seed, step, k] for k in range(_size(plan.batch, months))]
        years = [learn.draw(plan.patch, seed, months=months) for seed in seeds]
        return _stack([_as_used(year, seed) for year, seed in zip(years, seeds, strict=True)])

    # a lake's class is right or wrong as a whole, so a fair judgement takes many lakes and years
    tasks = [
        _stack([check.draw(160, [911, k, number], scene=scene, months=3)])
        for k in range(YEARS)
        for number, scene in enumerate(held)
    ]
    return batch, tasks


def _gather_real(plan: Recipe, folder: Path) -> tuple[Callable[[int], Batch], list[Batch]]:
    """The same from real images and real labels."""
    years = read_years(folder, plan.labels, plan.reflectance)
    held = [y for y in years if any(v in y.name for v in plan.validation)]
    learn = [y for y in years if y not in held]
    if not held or not learn:
        raise RecipeError(
            f"{len(learn)} training and {len(held)} validation years: check labels and validation"
        )

    def draw(pool: list[LabelledYear], months: int, seed: list[int]) -> WaterYear:
        rng = np.random.default_rng(seed)
        return cut(pool[rng.integers(len(pool))], plan.patch, months, rng)

    def batch(step: int) -> Batch:
        months = _months(plan.seed, step)
        size = _size(plan.batch, months)
        return _stack([draw(learn, months, [plan.seed, step, k]) for k in range(size)])

    return batch, [_stack([draw(held, 3, [911, k])]) for k in range(16)]


def _months(seed: int, step: int) -> int:
    rng = np.random.default_rng([seed, step])
    return int(rng.choice(list(MONTHS), p=list(MONTHS.values())))


def _size(batch: int, months: int) -> int:
    """Tasks a step, so that every step costs about the same."""
    return max(1, round(batch * 3 / max(months, 2)))


def _stack(years: list[WaterYear]) -> Batch:
    images, seen, label = zip(*((y.images, y.seen, y.label) for y in years), strict=True)
    return Batch(np.stack(images), np.stack(seen), np.stack(label))


def _as_used(year: WaterYear, seed: list[int]) -> WaterYear:
    """As gaps come in use: left open, never there, or filled, smoothly and a little wrong."""
    rng = np.random.default_rng([*seed, 5])
    kind = rng.random()
    if kind < 0.65:
        return year
    images = year.images.copy()
    for image, seen in zip(images, year.seen, strict=True):
        if kind > 0.75 and seen.any():
            image[:, ~seen] = _smeared(image, seen, rng)[:, ~seen]
    return WaterYear(images, np.ones_like(year.seen), year.label)


def _smeared(image: Float, seen: Bool, rng: np.random.Generator) -> Float:
    """What a simple filler would make of the gaps."""
    made = np.broadcast_to(image[:, seen].mean(1)[:, None, None], image.shape).copy()
    for sigma in (8, rng.uniform(1.5, 4)):
        weight = ndimage.gaussian_filter(seen.astype(np.float32), sigma, truncate=2.5)
        near = weight > 0.02
        for band, old in zip(made, image, strict=True):
            told = ndimage.gaussian_filter(np.where(seen, old, 0), sigma, truncate=2.5)
            band[near] = told[near] / weight[near]
    return made


def objective(
    net: nn.Module, truth: Tensor, target: Tensor, given: tuple[Tensor, ...], plan: Recipe
) -> Tensor:
    """Cross-entropy where there is a label, weighted by class."""
    import torch

    with torch.autocast(truth.device.type, torch.bfloat16, enabled=plan.bf16):
        logits = net(*given)
    return masked_cross_entropy(logits.float(), truth, target, plan.class_weights)


def masked_cross_entropy(
    logits: Tensor, truth: Tensor, target: Tensor, weights: tuple[float, ...]
) -> Tensor:
    """Mean of the weighted cross-entropy over labelled pixels; the others count nothing.

    Parameters
    ----------
    logits : float ``[n class y x]``
    truth : int64 ``[n y x]``
        Anything where `target` is false.
    target : bool ``[n y x]``
    weights : one float a class
    """
    from torch.nn import functional as F

    safe = truth.where(target, truth.new_zeros(()))
    each = F.cross_entropy(logits, safe, reduction="none")
    weight = logits.new_tensor(weights)[safe] * target
    made: Tensor = (each * weight).sum() / weight.sum().clamp_min(1e-6)
    return made


def validate(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> Score:
    """Score a net on fixed tasks."""
    truths, answers = zip(*(_answers(net, task, device) for task in tasks), strict=True)
    truth, p = np.concatenate(truths), np.concatenate([_softmax(a) for a in answers], 1)
    table = confusion(truth, p.argmax(0).astype(np.uint8), classes=p.shape[0])
    shares, error = iou(table), calibration_error(reliability(p, truth))
    return Score(float(shares.mean()), float(f1(table).mean()), float(shares[1]), error)


def calibrate(net: nn.Module, tasks: list[Batch], device: str = "cpu") -> float:
    """Find the temperature and the shift of each class under which the labels are likeliest.

    The shifts take back what class weights did to the probabilities. Both are set in the net's
    own buffers; the temperature is returned (Guo et al. 2017, "On calibration of modern neural
    networks").
    """
    import torch
    from scipy.optimize import minimize

    truths, answers = zip(*(_answers(net, task, device) for task in tasks), strict=True)
    truth, logits = np.concatenate(truths), np.concatenate(answers, 1)
    every = slice(None, None, max(1, truth.size // 200_000))
    truth, logits = truth[every].astype(int), logits[:, every].astype(np.float64)

    def loss(told: NDArray[np.float64]) -> float:
        moved = logits / np.exp(told[0]) + np.append(0.0, told[1:])[:, None]
        top = moved.max(0)
        right = np.take_along_axis(moved, truth[None], 0)[0]
        return float((np.log(np.exp(moved - top).sum(0)) + top - right).mean())

    told = minimize(loss, np.zeros(len(logits)), method="L-BFGS-B").x
    factor = float(np.exp(told[0]))
    shift = torch.tensor(np.append(0.0, told[1:]), dtype=torch.float32, device=device)
    held = net.get_buffer("shift")
    held.copy_(held / factor + shift)
    net.get_buffer("temperature").mul_(factor)
    return factor


def _answers(
    net: nn.Module, task: Batch, device: str
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels ``[m]`` and logits ``[class m]`` of the labelled pixels."""
    import torch

    _, target, given = task.to(device)
    with torch.inference_mode():
        logits: torch.Tensor = net(*given)
    where = target.cpu().numpy()
    return task.label[where], np.moveaxis(logits.cpu().numpy(), 1, 0)[:, where]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(0))
    return np.asarray(raised / raised.sum(0), np.float32)
