"""The form of a model that converts best: norms folded, dense layers over frames as 1x1 convolutions.

TensorFlow Lite's FULLY_CONNECTED requantises in floating point on the host and in fixed point on
the device, so the two differ by a step here and there. CONV_2D's reference kernel follows the
device's fixed-point rule on both, and the host then returns the device's bytes.
"""

from __future__ import annotations

import numpy as np

from tfser.keras import keras

IMAGE_RANK = 4


def export_form(model: keras.Model) -> keras.Model:
    """Rewrite a functional model; names stay, outputs stay within float32 rounding.

    Each Dense layer with a four-dimensional input becomes a 1x1 convolution, and each BatchNorm
    that only such layers read is folded into them. The model given is not changed.
    """
    folded = {layer.name for layer in model.layers if _is_foldable(layer, model)}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in folded:
            return keras.layers.Activation("linear", name=layer.name)
        if _is_image_dense(layer):
            use_bias = layer.use_bias or bool(_norms_before(layer, folded))
            return keras.layers.Conv2D(layer.units, 1, use_bias=use_bias, activation=layer.activation, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    exported = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if layer.name in folded:
            continue
        weights = layer.get_weights()
        if _is_image_dense(layer):
            weights = _pointwise_weights(layer, _norms_before(layer, folded))
        exported.get_layer(layer.name).set_weights(weights)
    return exported


def _is_image_dense(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense) and len(layer.input_shape) == IMAGE_RANK


def _is_foldable(layer: keras.layers.Layer, model: keras.Model) -> bool:
    readers = [node.layer for node in layer.outbound_nodes]
    is_output = any(layer is tensor._keras_history.layer for tensor in model.outputs)
    return (isinstance(layer, keras.layers.BatchNormalization) and not is_output
            and all(_is_image_dense(reader) and len(reader.inbound_nodes) == 1 for reader in readers))


def _norms_before(layer: keras.layers.Layer, folded: set[str]) -> list[keras.layers.Layer]:
    before = layer.inbound_nodes[0].inbound_layers
    return [before] if before.name in folded else []


def _pointwise_weights(layer: keras.layers.Dense, norms: list[keras.layers.Layer]) -> list[np.ndarray]:
    """Kernel ``(1, 1, d_in, d_out)`` and bias, ``W (s x + t) + b`` taken together in float64."""
    kernel = layer.kernel.numpy().astype(np.float64)
    bias = layer.bias.numpy().astype(np.float64) if layer.use_bias else None
    for norm in norms:
        scale = norm.gamma.numpy().astype(np.float64) / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        shift = norm.beta.numpy() - norm.moving_mean.numpy() * scale
        bias = shift @ kernel + (0.0 if bias is None else bias)
        kernel = scale[:, None] * kernel
    weights = [kernel[None, None]] + ([] if bias is None else [bias])
    return [weight.astype(np.float32) for weight in weights]
