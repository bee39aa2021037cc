"""What the backbones are made of: norm, feed-forward module, self-attention, subsampling.

Activations are ``(batch, 1, frames, width)``: images of one row. A dense layer over the last axis
is then a 1x1 convolution to the converter (see ``tfser.convert.export_form``), without reshapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfser.keras import keras, precision
from tfser.models.hrf import dense
from tfser.models.layers import (
    AddConstant,
    FullyConnected,
    MatMul,
    Mean,
    MergeHeads,
    Rsqrt,
    Scale,
    Shift,
    SplitHeads,
    activate,
)
from tfser.spec import HrfSpec, ModelSpec

NORM_EPSILON = 1e-3  # as Keras: small against unit variance, large enough to survive int8


@dataclass(frozen=True)
class Builder:
    """The choices that every block of one model shares."""

    spec: ModelSpec
    width: int
    heads: int
    ffn_width: int

    def hrf(self, site: str) -> HrfSpec | None:
        """The HRF of a site, or None where the site trains without."""
        hrf = self.spec.hrf
        return hrf if hrf is not None and site in hrf.sites else None

    def dropout(self, x: Any, name: str) -> Any:
        """Dropout in training; no layer where the rate is 0."""
        return keras.layers.Dropout(self.spec.dropout, name=name)(x) if self.spec.dropout else x

    def norm(self, x: Any, name: str) -> Any:
        """BatchNorm, which folds away or becomes one operator, or LayerNorm in nine."""
        if self.spec.norm == "batch":
            return keras.layers.BatchNormalization(name=name)(x)
        return layer_norm(x, name)


@precision("float32")  # a square leaves the range of float16
def layer_norm(x: Any, name: str) -> Any:
    """LayerNorm over the last axis, one operation a layer.

    ``gamma * (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) + beta``. Keras's own layer
    leaves a float island in the int8 graph; this one does not.
    """
    mean = Mean(-1, keepdims=True, name=f"{name}/mean")(x)
    centred = keras.layers.Subtract(name=f"{name}/centre")([x, mean])
    square = keras.layers.Multiply(name=f"{name}/square")([centred, centred])
    variance = Mean(-1, keepdims=True, name=f"{name}/variance")(square)
    inverse = Rsqrt(name=f"{name}/rsqrt")(AddConstant(NORM_EPSILON, name=f"{name}/epsilon")(variance))
    unit = keras.layers.Multiply(name=f"{name}/normalise")([centred, inverse])
    return Shift(name=f"{name}/shift")(Scale(name=f"{name}/scale")(unit))


def feed_forward(b: Builder, x: Any, name: str, site: str, gain: float = 1.0) -> Any:
    """Two dense layers with the activation between: ``(batch, 1, frames, width)`` to the same.

    ``gain`` scales the start of the second kernel: the half step of a Conformer without an
    operator for it.
    """
    hidden = dense(x, b.ffn_width, f"{name}/expand", b.hrf(site))
    hidden = b.dropout(activate(hidden, b.spec.activation, f"{name}/activation"), f"{name}/dropout")
    start = keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform")
    return dense(hidden, b.width, f"{name}/project", b.hrf(site), kernel_initializer=start)


def self_attention(b: Builder, x: Any, name: str, window: int | None = None) -> Any:
    """Multi-head self-attention inside consecutive windows (default: one over all frames).

    The scale ``1 / sqrt(d_head)`` is in the start of the query kernel, not in the graph: the same
    function class with one int8 tensor less. The key has no bias, since it would shift all scores
    of a query alike and softmax ignores that.
    """
    frames, head_width = x.shape[2], b.width // b.heads
    window = window or frames
    hrf = b.hrf("attention")
    start = keras.initializers.VarianceScaling(1.0 / head_width, "fan_avg", "uniform")
    query = dense(x, b.width, f"{name}/query", hrf, kernel_initializer=start)
    key = dense(x, b.width, f"{name}/key", hrf, use_bias=False)
    value = dense(x, b.width, f"{name}/value", hrf)
    query, key, value = (
        SplitHeads(b.heads, window, name=f"{name}/{part}_heads")(tensor)
        for part, tensor in (("query", query), ("key", key), ("value", value))
    )
    scores = MatMul(transpose_b=True, name=f"{name}/scores")([query, key])
    with precision("float32"):
        weights = keras.layers.Softmax(name=f"{name}/softmax")(scores)
    context = MatMul(name=f"{name}/context")([weights, value])
    return dense(MergeHeads(frames, name=f"{name}/merge")(context), b.width, f"{name}/output", hrf)


def residual(b: Builder, x: Any, branch: Any, name: str) -> Any:
    """``x + dropout(branch)``."""
    return keras.layers.Add(name=f"{name}/add")([x, b.dropout(branch, f"{name}/add_dropout")])


def transformer_block(b: Builder, x: Any, name: str) -> Any:
    """Pre-norm encoder block: attention, then feed-forward."""
    x = residual(b, x, self_attention(b, b.norm(x, f"{name}/attention/norm"), f"{name}/attention"),
                 f"{name}/attention")
    return residual(b, x, feed_forward(b, b.norm(x, f"{name}/ffn1/norm"), f"{name}/ffn1", "ffn1"), f"{name}/ffn1")


def subsample(b: Builder, x: Any, filters: tuple[int, ...]) -> Any:
    """3x3 convolutions of stride 2 over time and bands, then a linear layer to the model's width.

    ``(batch, frames, bands)`` to ``(batch, 1, frames / 2^n, width)``, rounded up at each of the
    ``n`` convolutions. BatchNorm folds into them at conversion.
    """
    frames, bands = x.shape[1:]
    x = keras.layers.Reshape((frames, bands, 1), name="frontend/image")(x)
    for index, count in enumerate(filters, start=1):
        x = keras.layers.Conv2D(count, 3, strides=2, padding="same", use_bias=False, name=f"frontend/conv{index}")(x)
        x = keras.layers.BatchNormalization(name=f"frontend/norm{index}")(x)
        x = keras.layers.ReLU(name=f"frontend/relu{index}")(x)
    frames, bands, channels = x.shape[1:]
    x = keras.layers.Reshape((1, frames, bands * channels), name="frontend/frames")(x)
    return b.dropout(dense(x, b.width, "frontend/project", b.hrf("conv")), "frontend/dropout")


def classify(b: Builder, x: Any) -> Any:
    """Mean over time, then logits: ``(batch, 1, frames, width)`` to ``(batch, labels)``."""
    pooled = b.dropout(Mean(2, keepdims=True, name="head/mean")(x), "head/dropout")
    return logits(b, pooled)


@precision("float32")
def logits(b: Builder, x: Any) -> Any:
    """The last layer: ``(batch, 1, 1, width)`` to ``(batch, labels)``."""
    labels = len(b.spec.labels)
    return keras.layers.Reshape((labels,), name="head/output")(FullyConnected(labels, name="head/logits")(x))
