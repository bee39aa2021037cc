"""The form of a model in which each layer is one operator of the converted file.

It is the export form with nothing left to fold: norms behind convolutions are in their kernels,
other norms are a product and a sum, swish is a sigmoid and a product. So every int8 tensor of the
file is the output of one layer here, and can be measured, given a range and quantised by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfser.convert.export_form import export_form
from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.models.layers import (
    AddConstant,
    HardSwish,
    MatMul,
    Mean,
    MergeHeads,
    Rsqrt,
    Scale,
    Shift,
    SinusoidalPositions,
    SplitHeads,
)

layers = keras.layers

INPUT = "features/input"  # the layer that stands for the input tensor
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
# What computes nothing: the result has the scale of what was read.
MOVES = (layers.Reshape, layers.AveragePooling2D, SplitHeads, MergeHeads)
_UNCHANGED = (layers.Add, layers.Subtract, layers.Multiply, layers.ReLU, layers.Softmax, MatMul, Mean, AddConstant,
              Rsqrt, HardSwish, Scale, Shift, *MOVES)
_linear, _swish = keras.activations.linear, keras.activations.swish
_ACTIVATIONS = (keras.activations.sigmoid, keras.activations.tanh)


def operator_form(model: keras.Model) -> keras.Model:
    """Rewrite a merged model, one operator a layer; outputs stay within float32 rounding.

    Layers keep their names: ``ffn1/activation`` is the product of a swish and
    ``ffn1/activation/sigmoid`` its other half; ``norm`` is the sum of a norm and ``norm/mul`` its
    product. The first layer, ``features/input``, is the identity. The model given is not changed.

    Raises
    ------
    InputError
        A layer is not of a kind that the backbones are built from.
    """
    exported = export_form(model)
    features = keras.Input(exported.input_shape[1:], name=exported.input_names[0])
    made = {exported.inputs[0].ref(): layers.Activation("linear", name=INPUT)(features)}
    folded: set[str] = set()
    for layer in exported.layers[1:]:
        read = [made[tensor.ref()] for tensor in tf.nest.flatten(layer.inbound_nodes[0].input_tensors)]
        made[layer.output.ref()] = read[0] if layer.name in folded else _operators(layer, read, folded)
    return keras.Model(features, made[exported.outputs[0].ref()], name=model.name)


def _operators(layer: keras.layers.Layer, read: list[Any], folded: set[str]) -> Any:
    """The operators of ``layer`` behind the tensors that it reads; what it absorbs joins ``folded``."""
    name, x = layer.name, read[0]
    if isinstance(layer, layers.Dropout) or _is_activation(layer, _linear):
        return x
    if isinstance(layer, CONVOLUTIONS) and layer.activation in (_linear, keras.activations.relu):
        return _convolution(layer, x, folded)
    if _is_norm(layer):
        scale, shift = _affine(layer)
        return _put(Shift(name=name), _put(Scale(name=f"{name}/mul"), x, [scale]), [shift])
    if isinstance(layer, SinusoidalPositions):
        return _put(Shift(axes=2, name=name), x, [layer.code])
    if _is_activation(layer, _swish):
        return layers.Multiply(name=name)([x, layers.Activation("sigmoid", name=f"{name}/sigmoid")(x)])
    if isinstance(layer, _UNCHANGED) or any(_is_activation(layer, activation) for activation in _ACTIVATIONS):
        return _put(_copy(layer), read if len(read) > 1 else x, layer.get_weights())
    raise InputError("TF-QAT-01", f"layer {name!r} of type {type(layer).__name__} is not known by its operators",
                     expected="a layer that the backbones are built from (tfser/models)",
                     fix="build the model from layers of tfser/models")


def _convolution(layer: keras.layers.Layer, x: Any, folded: set[str]) -> Any:
    """A convolution with the norm in its kernel that alone reads it."""
    norm = _only_reader(layer)
    if norm is None or not _is_norm(norm) or layer.activation is not _linear:
        return _put(_copy(layer), x, layer.get_weights())
    folded.add(norm.name)
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    scale, shift = _affine(norm)
    kernel = kernel * (scale[:, None] if isinstance(layer, layers.DepthwiseConv2D) else scale)
    with_bias = layer.__class__.from_config({**layer.get_config(), "use_bias": True})
    return _put(with_bias, x, [kernel, shift + sum(bias) * scale])


def _put(operator: keras.layers.Layer, x: Any, weights: Sequence[np.ndarray]) -> Any:
    y = operator(x)
    operator.set_weights([weight.astype(np.float32) for weight in weights])
    return y


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.__class__.from_config(layer.get_config())


def _is_activation(layer: keras.layers.Layer, activation: Any) -> bool:
    return isinstance(layer, layers.Activation) and layer.activation is activation


def _is_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, layers.BatchNormalization) and layer.scale and layer.center


def _only_reader(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    readers = [node.layer for node in layer.outbound_nodes]
    return readers[0] if len(readers) == 1 else None


def _affine(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A norm as ``scale * x + shift`` [shape=(channels,)], in float64."""
    gamma, beta, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale
