"""Quantisers for TensorFlow Model Optimization whose ranges are learned.

In training, rounding passes gradients straight through (Bengio et al. 2013, arXiv 1308.3432), and a
range learns from its rounding errors as from its clipping (Esser et al. 2020, Learned Step Size
Quantization, arXiv 1902.08153). A range is ``start * e^growth`` with ``growth`` learned, so that one
learning rate suits ranges of all sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfser.keras import keras, tf
from tfser.models.kernel_grid import STEPS as KERNEL_STEPS

# isort: split
import tensorflow_model_optimization as tfmot  # after tfser.keras, which chooses the Keras that it needs

_TINY = float(np.finfo(np.float32).tiny)  # the step of a channel of zeros


class LearnedRange(tfmot.quantization.keras.quantizers.Quantizer):
    """What both kinds share: the numbers of a range, known to a layer as ``NAME_start`` and ``NAME_growth``."""

    is_learned = True

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> dict[str, Any]:
        shape = self.range_shape(tensor_shape)
        self.start = layer.add_weight(f"{name}_start", shape=shape, initializer="ones", trainable=False)
        self.growth = layer.add_weight(f"{name}_growth", shape=shape, initializer="zeros", trainable=self.is_learned)
        return {"start": self.start, "growth": self.growth}

    def range_shape(self, tensor_shape: Any) -> tuple[int, ...]:
        """Shape of a range of a tensor."""
        raise NotImplementedError

    def set(self, ends: np.ndarray) -> None:
        """Begin with a range."""
        self.start.assign(ends)
        self.growth.assign(np.zeros(self.growth.shape))

    def get(self) -> np.ndarray:
        """The range as it is now, float32."""
        return (self.start * tf.exp(self.growth)).numpy()


class TensorRange(LearnedRange):
    """255 steps from a low to a high end, [shape=(2,)], with 0 between them or at one of them.

    Not ``is_learned``, it stays as it was set.
    """

    def __init__(self, is_learned: bool = True) -> None:
        self.is_learned = is_learned

    def range_shape(self, tensor_shape: Any) -> tuple[int, ...]:
        return (2,)

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **kwargs: Any) -> Any:
        low, high = tf.unstack(weights["start"] * tf.exp(weights["growth"]))
        if training:
            return _quantised(inputs, low, high)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)  # where the converter finds the range

    def get_config(self) -> dict[str, Any]:
        return {"is_learned": self.is_learned}


@tf.custom_gradient
def _quantised(x: Any, low: Any, high: Any) -> Any:
    """``fake_quant_with_min_max_vars`` whose ends also get the gradient of the rounding error.

    Between the ends ``y = step * round(x / step)`` and ``dy/dstep = (y - x) / step``, with
    ``step = (high - low) / 255``; beyond an end ``y`` is that end.
    """
    y = tf.quantization.fake_quant_with_min_max_vars(x, low, high)

    def gradient(dy: Any) -> tuple[Any, Any, Any]:
        dx, at_low, at_high = tf.quantization.fake_quant_with_min_max_vars_gradient(dy, x, low, high)
        of_width = tf.reduce_sum(dx * (y - x)) / (high - low)
        return dx, at_low - of_width, at_high + of_width

    return y, gradient


class ChannelRange(LearnedRange):
    """127 steps either side of 0 for each channel: the largest magnitudes, [shape=(channels,)].

    ``axis`` is that of the channels. A range is at most what the channel's weights span: the converter
    finds it again in the rounded weights, which are constants to it, and a wider one it could not find.
    The same in NumPy: :func:`tfser.models.kernel_grid.on_grid`.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def range_shape(self, tensor_shape: Any) -> tuple[int, ...]:
        return (tensor_shape[self.axis],)

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **kwargs: Any) -> Any:
        channels = self.axis % inputs.shape.rank
        others = [axis for axis in range(inputs.shape.rank) if axis != channels]
        wanted = tf.reshape(weights["start"] * tf.exp(weights["growth"]), [-1 if axis == channels else 1
                                                                          for axis in range(inputs.shape.rank)])
        span = tf.reduce_max(tf.abs(inputs), axis=others, keepdims=True)
        step = (wanted + tf.stop_gradient(tf.minimum(wanted, span) - wanted)) / KERNEL_STEPS
        step = tf.maximum(step, _TINY)
        return tf.clip_by_value(_rounded(inputs / step), -KERNEL_STEPS, KERNEL_STEPS) * step

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class Span(tfmot.quantization.keras.quantizers.Quantizer):
    """255 steps over what a constant's values span, and 0: the range that the converter gives it."""

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> dict[str, Any]:
        return {}

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **kwargs: Any) -> Any:
        low, high = tf.minimum(tf.reduce_min(inputs), 0.0), tf.maximum(tf.reduce_max(inputs), 0.0)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, tf.stop_gradient(low), tf.stop_gradient(high))

    def get_config(self) -> dict[str, Any]:
        return {}


def _rounded(x: Any) -> Any:
    """Rounding whose gradient is that of the identity."""
    return x + tf.stop_gradient(tf.round(x) - x)
