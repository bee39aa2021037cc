"""SpeechFormer (arXiv 2203.03812): frame, phoneme, word and utterance stages of attention.

The first three stages attend inside windows and end in a merge of neighbouring tokens; the last
attends over the whole utterance. Windows are consecutive blocks (50 ms, 400 ms, 2 s) where the
original slides them, and merges go to 50 ms, 250 ms and 1 s tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfser.keras import keras
from tfser.models.blocks import Builder, feed_forward, logits, residual, self_attention
from tfser.models.hrf import dense
from tfser.models.layers import FullyConnected, Mean, SinusoidalPositions
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec

SITES = ("ffn1", "attention", "conv")
FEATURES = FeatureSpec(hop_samples=160, frames=200)
ACTIVATION = "relu"
# Narrow and post-norm, it underfits with the other backbones' dropout and mixup.
DROPOUT = 0.0
RECIPE = TrainSpec(epochs=80, learning_rate=1e-3, mixup_alpha=0.0)


@dataclass(frozen=True)
class Stage:
    """Blocks in windows of ``window`` tokens, then ``merge`` tokens become one."""

    window: int | None
    merge: int | None


STAGES = (Stage(5, 5), Stage(8, 5), Stage(8, 4), Stage(None, None))


@dataclass(frozen=True)
class Size:
    """``layers`` blocks in each stage; `base` has those of the publication."""

    layers: tuple[int, int, int, int]
    width: int
    heads: int


SIZES = {
    "small": Size(layers=(1, 1, 2, 2), width=40, heads=4),
    "base": Size(layers=(2, 2, 4, 4), width=128, heads=8),
}


def block(b: Builder, x: Any, name: str, window: int | None) -> Any:
    """Post-norm encoder block."""
    x = b.norm(residual(b, x, self_attention(b, x, f"{name}/attention", window), f"{name}/attention"),
               f"{name}/attention/norm")
    return b.norm(residual(b, x, feed_forward(b, x, f"{name}/ffn1", "ffn1"), f"{name}/ffn1"), f"{name}/ffn1/norm")


def merge(b: Builder, x: Any, name: str, tokens: int) -> Any:
    """Average of ``tokens`` neighbours, linear layer, norm."""
    x = keras.layers.AveragePooling2D((1, tokens), name=f"{name}/pool")(x)
    return b.norm(dense(x, b.width, f"{name}/linear", b.hrf("conv")), f"{name}/norm")


def backbone(spec: ModelSpec, x: Any) -> Any:
    """Log-mel ``(batch, frames, bands)`` to logits ``(batch, labels)``."""
    size = SIZES[spec.size]
    b = Builder(spec, size.width, size.heads, ffn_width=size.width // 2)
    x = keras.layers.Reshape((1, *x.shape[1:]), name="frontend/row")(x)
    x = SinusoidalPositions(name="frontend/positions")(FullyConnected(size.width, name="frontend/project")(x))
    for number, (stage, layers) in enumerate(zip(STAGES, size.layers, strict=True), start=1):
        for layer in range(1, layers + 1):
            x = block(b, x, f"stage{number}/{layer}", stage.window)
        if stage.merge:
            x = merge(b, x, f"stage{number}/merge", stage.merge)
    x = Mean(2, keepdims=True, name="head/mean")(x)
    for index, divisor in enumerate((1, 2, 4), start=1):
        x = FullyConnected(size.width // divisor, activation="relu", name=f"head/dense{index}")(x)
        x = b.dropout(x, f"head/dropout{index}")
    return logits(b, x)
