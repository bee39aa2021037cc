"""FULLY_CONNECTED."""

from __future__ import annotations

import math

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import parameters, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import ABSENT, Operator, Tensor
from firmware_gen.ir.ops.base import Op
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape


def lower_fully_connected(operator: Operator, builder: Builder) -> None:
    """FULLY_CONNECTED, per tensor or per channel, to Dense; to MatMul where the weights are computed at run time.

    The factor to the output's codes is a float32 product of whole tensors' scales, but float64 per channel.
    """
    x, w, y = (builder.tensor(i) for i in (*operator.inputs[:2], operator.outputs[0]))
    weights.int8_tensor(operator, x)
    weights.int8_tensor(operator, y)
    _check_shapes(operator, x, w, y)
    depth = w.shape[1]
    source = builder.value(operator.inputs[0])
    if x.shape[-1:] != (depth,):
        source = builder.temp_of(Reshape((x.elements // depth, depth)), source)
    clamp = parameters.output_clamp(operator, y)
    if w.data is None:
        _lower_product(operator, builder, source)
        return
    array = weights.channel_weights(operator, w, 2, 0)
    if w.scale.size > 1:
        weights.check_symmetric(operator, w)
        scales, zero_point = parameters.channel_scales(operator, x, w, y), 0
    else:
        scales, zero_point = parameters.scales_of(parameters.product_scale(operator, x, w, y)), int(w.zero_point[0])
    op = Dense(int(x.zero_point[0]), zero_point, scales, clamp, y.shape)
    add_layer(operator, builder, op, source, array)


def add_layer(operator: Operator, builder: Builder, op: Op, source: int, array: np.ndarray) -> None:
    """A layer with the constant weights ``array`` and the operator's bias, if it has one."""
    inputs = [source, builder.constant(array, f"{builder.tensor(operator.inputs[1]).name}")]
    count = builder.tensor(operator.outputs[0]).shape[-1]
    bias = weights.bias_of(operator, builder.tensors, count)
    if bias is not None:
        inputs.append(builder.constant(bias, builder.tensor(operator.inputs[2]).name))
    builder.add(op, inputs, [builder.value(operator.outputs[0])])


def _check_shapes(operator: Operator, x: Tensor, w: Tensor, y: Tensor) -> None:
    order = operator.options.get("weights_format", "DEFAULT")
    if order != "DEFAULT" or len(w.shape) != 2:
        raise InputError("FG-OP-12", f"{operator}, weights {w} of shape {w.shape} in the order {order}",
                         expected="2 dimensions in the order DEFAULT", fix="convert the model again")
    count, depth = w.shape
    if y.shape[-1:] != (count,) or x.elements != math.prod(y.shape[:-1]) * depth:
        raise InputError("FG-OP-13", f"{operator}, input {x} {x.shape}, weights {w} {w.shape}, output {y} {y.shape}",
                         expected="as many rows in as out", fix="convert the model again with a fixed input size")


def _lower_product(operator: Operator, builder: Builder, source: int) -> None:
    """Weights computed at run time: a product of two tensors, if there is no bias."""
    x, w, y = (builder.tensor(i) for i in (*operator.inputs[:2], operator.outputs[0]))
    weights.int8_tensor(operator, w)
    if len(operator.inputs) > 2 and operator.inputs[2] != ABSENT:
        raise InputError("FG-OP-14", f"{operator}: weights {w} computed at run time, and a bias",
                         expected="constant weights, or no bias", fix="add the bias in an operator of its own")
    op = MatMul(False, True, int(x.zero_point[0]), int(w.zero_point[0]),
                parameters.product_scale(operator, x, w, y), parameters.output_clamp(operator, y))
    rows = x.elements // w.shape[1]
    if len(builder.shape(source)) != 2:
        source = builder.temp_of(Reshape((rows, w.shape[1])), source)
    product = builder.temp_of(op, source, builder.value(operator.inputs[1]))
    builder.add(Reshape(y.shape), [product], [builder.value(operator.outputs[0])])
