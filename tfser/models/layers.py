"""Layers of one operation each, so that every tensor between them can carry its own int8 range.

A composite layer hides its inner tensors from quantisation, and what is hidden stays in float.
All of them work on a fixed number of frames; the batch is free in training and 1 on the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfser.errors import InputError
from tfser.keras import keras, tf

register = keras.saving.register_keras_serializable(package="tfser")


class _Configured(keras.layers.Layer):
    """A layer whose constructor arguments, named in ``SETTINGS``, are its configuration."""

    SETTINGS: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.SETTINGS}}


@register
class FullyConnected(keras.layers.Dense):
    """``x @ kernel + bias`` over the last axis, as one product of two matrices (FULLY_CONNECTED).

    Over more than two axes Keras's own works out at run time, in some twenty operators, what is fixed here: a third
    of the time in which a model is built and its training traced. The results have the same bits.
    """

    def call(self, inputs: Any) -> Any:
        if inputs.shape.rank == 2:
            return super().call(inputs)
        rows = super().call(tf.reshape(inputs, [-1, inputs.shape[-1]]))
        return tf.reshape(rows, [-1, *inputs.shape[1:-1], self.units])


@register
class MatMul(_Configured):
    """``a @ b`` over the last two axes (BATCH_MATMUL), ``b`` transposed on request."""

    SETTINGS = ("transpose_b",)

    def __init__(self, transpose_b: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transpose_b = transpose_b

    def call(self, inputs: list[Any]) -> Any:
        return tf.matmul(inputs[0], inputs[1], transpose_b=self.transpose_b)


@register
class Mean(_Configured):
    """Mean over one axis (MEAN)."""

    SETTINGS = ("axis", "keepdims")

    def __init__(self, axis: int, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.keepdims = keepdims

    def call(self, inputs: Any) -> Any:
        return tf.reduce_mean(inputs, axis=self.axis, keepdims=self.keepdims)


@register
class AddConstant(_Configured):
    """Add one number, such as the epsilon of a norm (ADD)."""

    SETTINGS = ("value",)

    def __init__(self, value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def call(self, inputs: Any) -> Any:
        return inputs + self.value


@register
class Rsqrt(keras.layers.Layer):
    """``1 / sqrt(x)`` (RSQRT)."""

    def call(self, inputs: Any) -> Any:
        return tf.math.rsqrt(inputs)


@register
class Scale(keras.layers.Layer):
    """Multiply each channel by a trained number (MUL)."""

    def build(self, input_shape: Any) -> None:
        self.gamma = self.add_weight("gamma", shape=(input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        return inputs * self.gamma


@register
class Shift(_Configured):
    """Add a trained number to each channel, or to each entry of the last ``axes`` axes (ADD)."""

    SETTINGS = ("axes",)

    def __init__(self, axes: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes

    def build(self, input_shape: Any) -> None:
        self.beta = self.add_weight("beta", shape=input_shape[-self.axes:], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        return inputs + self.beta


@register
class HardSwish(keras.layers.Layer):
    """``x * relu6(x + 3) / 6`` (HARD_SWISH)."""

    def call(self, inputs: Any) -> Any:
        return inputs * tf.nn.relu6(inputs + 3.0) * (1.0 / 6.0)


@register
class SinusoidalPositions(keras.layers.Layer):
    """Add the position code of Vaswani et al. 2017 to ``(batch, 1, frames, d)`` (ADD).

    ``code[t, 2i] = sin(t / 10000^(2i/d))``, ``code[t, 2i+1] = cos(t / 10000^(2i/d))``.
    """

    def build(self, input_shape: Any) -> None:
        frames, width = int(input_shape[-2]), int(input_shape[-1])
        position = np.arange(frames)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)[None, :]
        code = np.zeros((frames, width), np.float32)
        code[:, 0::2] = np.sin(position)
        code[:, 1::2] = np.cos(position)[:, : width // 2]
        self.code = code
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        return inputs + self.code


@register
class SplitHeads(_Configured):
    """``(batch, 1, frames, d)`` to ``(batch * windows, heads, window, d / heads)``.

    Windows are consecutive blocks of ``window`` frames that attend only inside themselves: no
    additive mask, whose -1e9 would take the whole int8 range of the scores.

    Raises
    ------
    InputError
        The frames do not divide into windows, or the width into heads: the reshape would then
        take frames of one clip for another's.
    """

    SETTINGS = ("heads", "window")

    def __init__(self, heads: int, window: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.window = window

    def build(self, input_shape: Any) -> None:
        _, _, frames, width = input_shape
        if frames % self.window or width % self.heads:
            raise InputError("TF-MODEL-05", f"layer {self.name!r} with {frames} frames in windows of {self.window}, "
                                            f"width {width} in {self.heads} heads",
                             expected="frames a multiple of the window, width a multiple of the heads")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        blocks = tf.reshape(inputs, [-1, self.window, self.heads, inputs.shape[-1] // self.heads])
        return tf.transpose(blocks, [0, 2, 1, 3])


@register
class MergeHeads(_Configured):
    """The inverse of `SplitHeads`: back to ``(batch, 1, frames, d)``."""

    SETTINGS = ("frames",)

    def __init__(self, frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, inputs: Any) -> Any:
        _, heads, _, head_width = inputs.shape
        return tf.reshape(tf.transpose(inputs, [0, 2, 1, 3]), [-1, 1, self.frames, heads * head_width])


_ACTIVATIONS = {
    "relu": lambda name: keras.layers.ReLU(name=name),
    "relu6": lambda name: keras.layers.ReLU(6.0, name=name),
    "hard_swish": lambda name: HardSwish(name=name),
    "swish": lambda name: keras.layers.Activation("swish", name=name),
    "tanh": lambda name: keras.layers.Activation("tanh", name=name),
}


def activate(x: Any, activation: str, name: str) -> Any:
    """Apply one of ``tfser.spec.ACTIVATIONS``; the model builder has refused any other."""
    return _ACTIVATIONS[activation](name)(x)
