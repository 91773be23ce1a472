"""Nets by name: what a recipe or a weights card may ask for."""

from __future__ import annotations

from torch import nn

from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convlnp import ConvLNP
from xinpaint.nets.convnp import ConvNP
from xinpaint.nets.ongrid import OnGridConvCNP
from xinpaint.nets.partialconv import PartialConv
from xinpaint.nets.unet import UNet
from xinpaint.nets.unet3d import UNet3D

NETS: dict[str, type[nn.Module]] = {
    "convcnp": ConvCNP,
    "convnp": ConvNP,
    "ongrid": OnGridConvCNP,
    "convlnp": ConvLNP,
    "unet": UNet,
    "partialconv": PartialConv,
    "unet3d": UNet3D,
}
