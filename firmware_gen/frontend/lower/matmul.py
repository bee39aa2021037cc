"""BATCH_MATMUL."""

from __future__ import annotations

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import parameters, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.matmul import MatMul

RANKS = (2, 3, 4, 5)  # as TensorFlow Lite Micro takes them


def lower_batch_matmul(operator: Operator, builder: Builder) -> None:
    """BATCH_MATMUL to MatMul; to Dense where the second operand is one constant matrix."""
    a, b, y = (builder.tensor(i) for i in (*operator.inputs, operator.outputs[0]))
    for tensor in (a, b, y):
        weights.int8_tensor(operator, tensor, ranks=RANKS)
    adj_x, adj_y = operator.options.get("adj_x", False), operator.options.get("adj_y", False)
    scale, clamp = parameters.product_scale(operator, a, b, y), parameters.output_clamp(operator, y)
    product = MatMul(adj_x, adj_y, int(a.zero_point[0]), int(b.zero_point[0]), scale, clamp)
    _check_shapes(operator, product, a, b, y)
    source, output = builder.value(operator.inputs[0]), builder.value(operator.outputs[0])
    if b.data is None or adj_x or b.elements != b.shape[-1] * b.shape[-2] or len(b.shape) > len(a.shape):
        builder.add(product, [source, builder.value(operator.inputs[1])], [output])
        return
    matrix = weights.array_of(operator, b, ("int8",)).reshape(b.shape[-2:])
    matrix = np.ascontiguousarray(matrix if adj_y else matrix.T)
    op = Dense(product.a_zero_point, product.b_zero_point, parameters.scales_of(scale), clamp, y.shape)
    builder.add(op, [source, builder.constant(matrix, b.name)], [output])


def _check_shapes(operator: Operator, product: MatMul, a: Tensor, b: Tensor, y: Tensor) -> None:
    try:
        expected = product.infer((a.shape, b.shape))[0]
    except ValueError as error:
        raise InputError("FG-OP-17", f"{operator}, operands {a} {a.shape} and {b} {b.shape}: {error}",
                         expected="matrices that can be multiplied", fix="convert the model again") from error
    if expected != y.shape:
        raise InputError("FG-OP-18", f"{operator}, output {y} of shape {y.shape}", expected=f"{expected}",
                         fix="convert the model again with a fixed input size")
