"""Conformer (Gulati et al. 2020): feed-forward, attention and convolution modules in each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfser.keras import keras
from tfser.models.blocks import Builder, classify, feed_forward, residual, self_attention, subsample
from tfser.models.hrf import dense
from tfser.models.layers import activate
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec

SITES = ("ffn1", "ffn2", "attention", "conv")
FEATURES = FeatureSpec()
ACTIVATION = "swish"
DROPOUT = 0.1
RECIPE = TrainSpec(average_decay=0.99, learning_rate=4e-3)


@dataclass(frozen=True)
class Size:
    filters: tuple[int, ...]
    width: int
    heads: int
    ffn_width: int
    kernel: int
    blocks: int


SIZES = {
    "small": Size(filters=(16, 24), width=40, heads=4, ffn_width=80, kernel=15, blocks=2),
    "base": Size(filters=(32, 48), width=144, heads=4, ffn_width=576, kernel=31, blocks=4),
}


def convolution(b: Builder, x: Any, name: str, kernel: int) -> Any:
    """Pointwise, GLU, depthwise over time, norm, activation, pointwise.

    The GLU's two halves are two dense layers, so that the device needs no SPLIT.
    """
    value = dense(x, b.width, f"{name}/value", b.hrf("conv"))
    gate = keras.layers.Activation("sigmoid", name=f"{name}/gate_sigmoid")(
        dense(x, b.width, f"{name}/gate", b.hrf("conv")))
    x = keras.layers.Multiply(name=f"{name}/glu")([value, gate])
    x = keras.layers.DepthwiseConv2D((1, kernel), padding="same", use_bias=False, name=f"{name}/depthwise")(x)
    x = keras.layers.BatchNormalization(name=f"{name}/depthwise_norm")(x)
    x = activate(x, b.spec.activation, f"{name}/activation")
    return dense(x, b.width, f"{name}/pointwise", b.hrf("conv"))


def half_step(b: Builder, x: Any, name: str, site: str) -> Any:
    """``x + FFN(x) / 2``, the half taken into the start of the FFN's second kernel."""
    return residual(b, x, feed_forward(b, b.norm(x, f"{name}/norm"), name, site, gain=0.5), name)


def block(b: Builder, x: Any, name: str, kernel: int) -> Any:
    """Half-step FFN, self-attention, convolution, half-step FFN, norm."""
    x = half_step(b, x, f"{name}/ffn1", "ffn1")
    x = residual(b, x, self_attention(b, b.norm(x, f"{name}/attention/norm"), f"{name}/attention"),
                 f"{name}/attention")
    x = residual(b, x, convolution(b, b.norm(x, f"{name}/conv/norm"), f"{name}/conv", kernel), f"{name}/conv")
    x = half_step(b, x, f"{name}/ffn2", "ffn2")
    return b.norm(x, f"{name}/norm")


def backbone(spec: ModelSpec, x: Any) -> Any:
    """Log-mel ``(batch, frames, bands)`` to logits ``(batch, labels)``."""
    size = SIZES[spec.size]
    b = Builder(spec, size.width, size.heads, size.ffn_width)
    x = subsample(b, x, size.filters)
    for index in range(1, size.blocks + 1):
        x = block(b, x, f"block{index}", size.kernel)
    return classify(b, x)
