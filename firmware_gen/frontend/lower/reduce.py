"""MEAN and SUM."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import parameters, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Clamp, Scale
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.ir.ops.reduce import Reduce


def lower_reduce(operator: Operator, builder: Builder) -> None:
    """MEAN or SUM to Reduce; to Lookup where each sum has one element."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    weights.int8_tensor(operator, x)
    weights.int8_tensor(operator, y)
    axes = _axes(operator, builder.tensor(operator.inputs[1]), x)
    scale = parameters.scale_of(operator, y, float(x.scale[0]) / float(y.scale[0]))
    if operator.name == "MEAN":
        scale = mean_scale(scale, math.prod(x.shape[axis] for axis in axes))
    op = Reduce("mean" if operator.name == "MEAN" else "sum", axes, int(x.zero_point[0]), scale,
                Clamp(int(y.zero_point[0])), y.shape)
    try:
        op.infer((x.shape,))
    except ValueError as error:
        raise InputError("FG-OP-21", f"{operator}, input {x} {x.shape}, output {y} {y.shape}: {error}",
                         expected="the input's shape without the axes", fix="convert the model again") from error
    source, output = builder.value(operator.inputs[0]), builder.value(operator.outputs[0])
    if x.elements == y.elements:
        same = builder.temp_of(Lookup(_table(op), operator.name), source)
        builder.add(Reshape(y.shape), [same], [output])
    else:
        builder.add(op, [source], [output])


def _table(op: Reduce) -> np.ndarray:
    """The codes that a sum of one element gives."""
    every = np.arange(-128, 128).astype(np.int8).reshape(256, 1)
    return replace(op, axes=(1,), output_shape=(256,)).evaluate(every)[0]


def mean_scale(scale: Scale, count: int) -> Scale:
    """``scale / count``: the multiplier is divided after a shift to the left that keeps most of its bits."""
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Scale((scale.multiplier << shift) // count, scale.shift - shift)


def _axes(operator: Operator, tensor: Tensor, x: Tensor) -> tuple[int, ...]:
    rank = len(x.shape)
    given = weights.array_of(operator, tensor, ("int32",)).reshape(-1).tolist()
    if any(not -rank <= axis < rank for axis in given):
        raise InputError("FG-OP-22", f"{operator}, axes {given} of {x} with {rank} dimensions",
                         expected=f"{-rank} to {rank - 1}", fix="convert the model again")
    return tuple(sorted({axis % rank for axis in given}))
