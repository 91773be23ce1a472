"""Nets by name: what a recipe or a weights card may ask for."""

from __future__ import annotations

from torch import nn

from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convnp import ConvNP

NETS: dict[str, type[nn.Module]] = {"convcnp": ConvCNP, "convnp": ConvNP}
