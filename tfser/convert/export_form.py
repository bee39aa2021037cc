"""The form of a model that converts best: norms folded, dense layers over frames as 1x1 convolutions.

TensorFlow Lite's FULLY_CONNECTED requantises in floating point on the host and in fixed point on
the device, so the two differ by a step here and there. CONV_2D's reference kernel follows the
device's fixed-point rule on both. What is left is MUL of two activations, whose multiplier LiteRT
rounds to float32 first: one value in some 100,000 is a step off.
"""

from __future__ import annotations

import numpy as np

from tfser.keras import keras

IMAGE_RANK = 4


def export_form(model: keras.Model) -> keras.Model:
    """Rewrite a functional model; names stay, outputs stay within float32 rounding.

    Each Dense layer with a four-dimensional input becomes a 1x1 convolution, and each BatchNorm
    that only such layers read is folded into them: ``W (s x + t) + b = (W s) x + (W t + b)``. In
    place of the norm stays an identity of its name. The model given is not changed.
    """
    folded = {layer.name for layer in model.layers if _is_foldable(layer, model)}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in folded:
            return keras.layers.Activation("linear", name=layer.name)
        if _is_image_dense(layer):
            use_bias = layer.use_bias or _norm_before(layer, folded) is not None
            return keras.layers.Conv2D(layer.units, 1, use_bias=use_bias, activation=layer.activation, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    exported = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if layer.name in folded:
            continue
        weights = layer.get_weights()
        if _is_image_dense(layer):
            weights = _pointwise_weights(layer, _norm_before(layer, folded))
        exported.get_layer(layer.name).set_weights(weights)
    return exported


def _is_image_dense(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense) and len(layer.input_shape) == IMAGE_RANK


def _is_foldable(layer: keras.layers.Layer, model: keras.Model) -> bool:
    if not isinstance(layer, keras.layers.BatchNormalization) or not (layer.scale and layer.center):
        return False
    readers = [node.layer for node in layer.outbound_nodes]
    is_output = any(layer is tensor._keras_history.layer for tensor in model.outputs)
    return (not is_output and list(layer.axis) == [IMAGE_RANK - 1]
            and all(_is_image_dense(reader) and len(reader.inbound_nodes) == 1 for reader in readers))


def _norm_before(layer: keras.layers.Dense, folded: set[str]) -> keras.layers.BatchNormalization | None:
    before = layer.inbound_nodes[0].inbound_layers
    return before if before.name in folded else None


def _pointwise_weights(layer: keras.layers.Dense, norm: keras.layers.BatchNormalization | None) -> list[np.ndarray]:
    """Kernel ``(1, 1, d_in, d_out)`` and, where there is one, bias; computed in float64."""
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    if norm is not None:
        gamma, beta, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
        scale = gamma / np.sqrt(variance + norm.epsilon)
        bias = [(beta - mean * scale) @ kernel + sum(bias)]
        kernel = scale[:, None] * kernel
    return [weight.astype(np.float32) for weight in (kernel[None, None], *bias)]
