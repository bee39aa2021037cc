"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import parameters, weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import Operator
from firmware_gen.ir.ops.pool2d import Pool2D

_SAME_SCALE = 1e-6  # largest difference of scales that TensorFlow Lite Micro lets pass


def lower_pool_2d(operator: Operator, builder: Builder) -> None:
    """AVERAGE_POOL_2D or MAX_POOL_2D to Pool2D: codes in, codes out, of one scale and zero point."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    weights.int8_tensor(operator, x, ranks=(4,))
    weights.int8_tensor(operator, y, ranks=(4,))
    difference = abs(float(x.scale[0]) - float(y.scale[0]))
    if difference > _SAME_SCALE or x.zero_point[0] != y.zero_point[0]:
        raise InputError("FG-OP-19", f"{operator}, input {x} with scale {x.scale[0]:g}, zero point {x.zero_point[0]}; "
                         f"output {y} with {y.scale[0]:g}, {y.zero_point[0]}", expected="the same for both",
                         fix="convert the model again: a pool keeps its scale")
    kernel = (operator.options["filter_height"], operator.options["filter_width"])
    window = parameters.sliding_window(operator, x.shape[1:3], kernel, y)
    if (x.shape[0], x.shape[3]) != (y.shape[0], y.shape[3]):
        raise InputError("FG-OP-20", f"{operator}, input {x} {x.shape}, output {y} {y.shape}",
                         expected="the same batch and channels", fix="convert the model again")
    op = Pool2D("average" if operator.name == "AVERAGE_POOL_2D" else "maximum",
                parameters.output_clamp(operator, y), window)
    builder.add(op, [builder.value(operator.inputs[0])], [builder.value(operator.outputs[0])])
