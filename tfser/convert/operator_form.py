"""The form of a model in which each layer is one operator of the converted file.

It is the export form with nothing left to fold: norms behind convolutions are in their kernels, the
bias of one is in the positions that are added to it, swish is a sigmoid and a product. So every int8
tensor of the file is the output of one layer here, and can be measured, given a range and quantised
by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfser.convert.export_form import CONVOLUTIONS, affine, export_form, is_image_norm
from tfser.convert.ranges import Ranges, channel_ranges_of
from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.models.kernel_grid import on_grid
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
# What computes nothing: the result has the scale of what was read.
MOVES = (layers.Reshape, SplitHeads, MergeHeads)
_UNCHANGED = (layers.Add, layers.Subtract, layers.Multiply, layers.ReLU, layers.Softmax, MatMul, Mean, AddConstant,
              Rsqrt, HardSwish, Scale, Shift, *MOVES)
_linear, _swish = keras.activations.linear, keras.activations.swish
_ACTIVATIONS = (keras.activations.sigmoid, keras.activations.tanh)


def operator_form(model: keras.Model) -> keras.Model:
    """Rewrite a merged model, one operator a layer; outputs stay within float32 rounding.

    Layers keep their names: ``ffn1/activation`` is the product of a swish and
    ``ffn1/activation/sigmoid`` its other half. The first layer, ``features/input``, is the identity.
    The model given is not changed.

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


def round_kernels(form: keras.Model, ranges: Ranges) -> list[str]:
    """Round the kernels of an operator form to their int8 values, in place; returns the names of their ranges.

    Raises
    ------
    InputError
        The range of a kernel is none; one that is missing is what the kernel spans.
    """
    names = []
    for layer in form.layers:
        if isinstance(layer, CONVOLUTIONS):
            kernel, *bias = layer.get_weights()
            names.append(f"{layer.name}/{kernel_name(layer)}")
            largest = channel_ranges_of(ranges, names[-1], kernel, channel_axis(layer))
            layer.set_weights([on_grid(kernel, largest, channel_axis(layer)), *bias])
    return names


def kernel_name(layer: keras.layers.Layer) -> str:
    """The attribute of a convolution that holds its kernel."""
    return "depthwise_kernel" if isinstance(layer, layers.DepthwiseConv2D) else "kernel"


def channel_axis(layer: keras.layers.Layer) -> int:
    """The axis of the output channels in the kernel of a convolution."""
    return 2 if isinstance(layer, layers.DepthwiseConv2D) else -1


def _operators(layer: keras.layers.Layer, read: list[Any], folded: set[str]) -> Any:
    """The operators of ``layer`` behind the tensors that it reads; what it absorbs joins ``folded``."""
    name, x = layer.name, read[0]
    if isinstance(layer, layers.Dropout) or _is_activation(layer, _linear):
        return x
    if isinstance(layer, CONVOLUTIONS) and layer.activation in (_linear, keras.activations.relu):
        return _convolution(layer, x, folded)
    if isinstance(layer, SinusoidalPositions):
        return _put(Shift(axes=2, name=name), x, [layer.code + _bias_before(layer)])
    if _is_activation(layer, _swish):
        return layers.Multiply(name=name)([x, layers.Activation("sigmoid", name=f"{name}/sigmoid")(x)])
    if isinstance(layer, _UNCHANGED) or any(_is_activation(layer, activation) for activation in _ACTIVATIONS):
        return _put(_copy(layer), read if len(read) > 1 else x, layer.get_weights())
    raise InputError("TF-QAT-01", f"layer {name!r} of type {type(layer).__name__} is not known by its operators",
                     expected="a layer that the backbones are built from (tfser/models)",
                     fix="build the model from layers of tfser/models")


def _convolution(layer: keras.layers.Layer, x: Any, folded: set[str]) -> Any:
    """A convolution with the norm in its kernel that alone reads it; positions that do take its bias."""
    reader = _only_reader(layer) if layer.activation is _linear else None
    if isinstance(reader, SinusoidalPositions):
        without_bias = layer.__class__.from_config({**layer.get_config(), "use_bias": False})
        return _put(without_bias, x, layer.get_weights()[:1])
    if reader is None or not is_image_norm(reader):
        return _put(_copy(layer), x, layer.get_weights())
    folded.add(reader.name)
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    scale, shift = affine(reader)
    kernel = kernel * (scale[:, None] if isinstance(layer, layers.DepthwiseConv2D) else scale)
    with_bias = layer.__class__.from_config({**layer.get_config(), "use_bias": True})
    return _put(with_bias, x, [kernel, shift + sum(bias) * scale])


def _bias_before(positions: SinusoidalPositions) -> np.ndarray | float:
    """The bias of a convolution that the positions alone read: the converter would add it to them too."""
    before = positions.inbound_nodes[0].inbound_layers
    leaves_it = isinstance(before, CONVOLUTIONS) and before.activation is _linear and _only_reader(before) is positions
    return before.get_weights()[1] if leaves_it and before.use_bias else 0.0


def _put(operator: keras.layers.Layer, x: Any, weights: Sequence[np.ndarray]) -> Any:
    y = operator(x)
    operator.set_weights([weight.astype(np.float32) for weight in weights])
    return y


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.__class__.from_config(layer.get_config())


def _is_activation(layer: keras.layers.Layer, activation: Any) -> bool:
    return isinstance(layer, layers.Activation) and layer.activation is activation


def _only_reader(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    readers = [node.layer for node in layer.outbound_nodes]
    return readers[0] if len(readers) == 1 else None
