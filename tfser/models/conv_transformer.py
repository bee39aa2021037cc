"""ConvTransformer: convolutional subsampling in front of Transformer encoder blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfser.models.blocks import Builder, classify, subsample, transformer_block
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec

SITES = ("ffn1", "attention", "conv")
FEATURES = FeatureSpec()
ACTIVATION = "relu"
DROPOUT = 0.1
RECIPE = TrainSpec(average_decay=0.99)


@dataclass(frozen=True)
class Size:
    filters: tuple[int, ...]
    width: int
    heads: int
    ffn_width: int
    blocks: int


SIZES = {
    "small": Size(filters=(16, 24, 32), width=48, heads=4, ffn_width=96, blocks=2),
    "base": Size(filters=(32, 48, 64), width=96, heads=4, ffn_width=384, blocks=4),
}


def backbone(spec: ModelSpec, x: Any) -> Any:
    """Log-mel ``(batch, frames, bands)`` to logits ``(batch, labels)``."""
    size = SIZES[spec.size]
    b = Builder(spec, size.width, size.heads, size.ffn_width)
    x = subsample(b, x, size.filters)
    for index in range(1, size.blocks + 1):
        x = transformer_block(b, x, f"block{index}")
    return classify(b, b.norm(x, "head/norm"))
