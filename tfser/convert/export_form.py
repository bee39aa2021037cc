"""The form of a model that converts best: norms and dense layers over frames as convolutions, or inside them.

TensorFlow Lite's FULLY_CONNECTED requantises in floating point on the host and in fixed point on
the device, so the two differ by a step here and there. CONV_2D's reference kernel follows the
device's fixed-point rule on both. What is left is MUL of two activations, whose multiplier LiteRT
rounds to float32 first: one value in some 100,000 is a step off.

A norm that folds into nothing is a 1x1 depthwise convolution, not MUL and ADD: one operator and one
rounding in place of two, each channel's factor is exact in its own scale, and its sum has 32 bits.
So is an average pool, one of its size: AVERAGE_POOL_2D gives the mean the scale of what it averages,
and rounds away the precision that averaging brought.
"""

from __future__ import annotations

import numpy as np

from tfser.keras import keras

IMAGE_RANK = 4
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def export_form(model: keras.Model) -> keras.Model:
    """Rewrite a functional model; names stay, outputs stay within float32 rounding.

    Each Dense layer with a four-dimensional input becomes a 1x1 convolution, each average pool a
    depthwise one, and a BatchNorm that only such layers read is folded into them:
    ``W (s x + t) + b = (W s) x + (W t + b)``. In place of the norm stays an identity of its name. A
    norm behind a convolution stays, for the converter folds it; any other becomes a depthwise
    convolution. The model given is not changed.
    """
    folded = {layer.name for layer in model.layers if _is_foldable(layer, model)}
    apart = {layer.name for layer in model.layers if is_image_norm(layer)
             and layer.name not in folded and not _is_behind_convolution(layer)}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in folded:
            return keras.layers.Activation("linear", name=layer.name)
        if layer.name in apart:
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        has_norm = layer is not model.layers[0] and _norm_before(layer, folded) is not None
        if _is_pool(layer):
            stride = layer.strides[1]  # of both axes: TensorFlow has no other, and there is one row
            return keras.layers.DepthwiseConv2D(layer.pool_size, stride, use_bias=has_norm, name=layer.name)
        if _is_image_dense(layer):
            return keras.layers.Conv2D(layer.units, 1, use_bias=layer.use_bias or has_norm,
                                       activation=layer.activation, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    exported = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if layer.name not in folded:
            exported.get_layer(layer.name).set_weights(_weights(layer, folded, apart))
    return exported


def _weights(layer: keras.layers.Layer, folded: set[str], apart: set[str]) -> list[np.ndarray]:
    """Those of the layer that stands for ``layer``."""
    if layer.name in apart:
        scale, shift = affine(layer)
        return [scale[None, None, :, None], shift]
    if _is_pool(layer):
        return _pool_weights(layer, _norm_before(layer, folded))
    if _is_image_dense(layer):
        return _pointwise_weights(layer, _norm_before(layer, folded))
    return layer.get_weights()


def is_image_norm(layer: keras.layers.Layer) -> bool:
    """A BatchNorm of the channels of an image, ``scale * x + shift``."""
    return (isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center
            and list(layer.axis) == [IMAGE_RANK - 1])


def affine(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A norm as ``scale * x + shift`` [shape=(channels,)], in float64."""
    gamma, beta, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _is_image_dense(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense) and len(layer.input_shape) == IMAGE_RANK


def _is_pool(layer: keras.layers.Layer) -> bool:
    """An average of as many values everywhere, in images of one row."""
    return (isinstance(layer, keras.layers.AveragePooling2D) and layer.padding == "valid"
            and layer.input_shape[1] == 1)


def _is_foldable(layer: keras.layers.Layer, model: keras.Model) -> bool:
    if not is_image_norm(layer):
        return False
    readers = [node.layer for node in layer.outbound_nodes]
    is_output = any(layer is tensor._keras_history.layer for tensor in model.outputs)
    return not is_output and all((_is_image_dense(reader) or _is_pool(reader)) and len(reader.inbound_nodes) == 1
                                 for reader in readers)


def _is_behind_convolution(norm: keras.layers.Layer) -> bool:
    """Whether it alone reads a convolution that has no activation."""
    before = norm.inbound_nodes[0].inbound_layers
    is_convolution = isinstance(before, CONVOLUTIONS) or _is_image_dense(before)
    return is_convolution and before.activation is keras.activations.linear and len(before.outbound_nodes) == 1


def _norm_before(layer: keras.layers.Layer, folded: set[str]) -> keras.layers.BatchNormalization | None:
    """The folded norm that a layer of one input reads."""
    before = layer.inbound_nodes[0].inbound_layers
    return before if isinstance(before, keras.layers.Layer) and before.name in folded else None


def _pool_weights(layer: keras.layers.AveragePooling2D,
                  norm: keras.layers.BatchNormalization | None) -> list[np.ndarray]:
    """Kernel ``(*pool_size, channels, 1)`` and, where there is a norm, bias."""
    channels = layer.input_shape[-1]
    scale, *bias = (np.ones(channels),) if norm is None else affine(norm)
    kernel = np.broadcast_to(scale / np.prod(layer.pool_size), (*layer.pool_size, channels))
    return [kernel[..., None], *bias]


def _pointwise_weights(layer: keras.layers.Dense, norm: keras.layers.BatchNormalization | None) -> list[np.ndarray]:
    """Kernel ``(1, 1, d_in, d_out)`` and, where there is one, bias; computed in float64."""
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    if norm is not None:
        scale, shift = affine(norm)
        bias = [shift @ kernel + sum(bias)]
        kernel = scale[:, None] * kernel
    return [weight.astype(np.float32) for weight in (kernel[None, None], *bias)]
