"""Operators that move elements: their shapes, axes and sizes are constants of the file."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import weights
from firmware_gen.frontend.lower.builder import Builder
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Op
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose

_EXPORT = "convert the model again with a fixed input size"


def lower_reshape(operator: Operator, builder: Builder) -> None:
    """RESHAPE, EXPAND_DIMS, SQUEEZE: to the shape that the output has."""
    if len(operator.inputs) > 1:
        _numbers(operator, builder, 1)
    _add(operator, builder, Reshape(builder.tensor(operator.outputs[0]).shape))


def lower_transpose(operator: Operator, builder: Builder) -> None:
    """TRANSPOSE."""
    _add(operator, builder, Transpose(_numbers(operator, builder, 1)))


def lower_concatenation(operator: Operator, builder: Builder) -> None:
    """CONCATENATION: codes are copied, as the reference does, whatever the scales of the tensors."""
    if operator.options["fused_activation_function"] != "NONE":
        raise InputError("FG-OP-37", f"{operator}: fused activation {operator.options['fused_activation_function']}",
                         expected="NONE", fix="make the activation an operator of its own")
    y = builder.tensor(operator.outputs[0])
    _add(operator, builder, Concatenate(_axis(operator, operator.options["axis"], len(y.shape), y)),
         [_value(operator, builder, i) for i in operator.inputs])


def lower_pack(operator: Operator, builder: Builder) -> None:
    """PACK: every input gets a dimension of 1 on the new axis; then they are concatenated."""
    y = builder.tensor(operator.outputs[0])
    axis = _axis(operator, operator.options["axis"], len(y.shape), y)
    if operator.options["values_count"] != len(operator.inputs):
        _refuse_count(operator, "values_count", len(operator.inputs))
    parts = []
    for index in operator.inputs:
        shape = builder.tensor(index).shape
        parts.append(builder.temp_of(Reshape((*shape[:axis], 1, *shape[axis:])), _value(operator, builder, index)))
    _add(operator, builder, Concatenate(axis), parts)


def lower_unpack(operator: Operator, builder: Builder) -> None:
    """UNPACK: slices of one index, without their axis."""
    x = builder.tensor(operator.inputs[0])
    axis = _axis(operator, operator.options["axis"], len(x.shape), x)
    if not operator.options["num"] == len(operator.outputs) == x.shape[axis]:
        _refuse_count(operator, "num", x.shape[axis])
    source = _value(operator, builder, operator.inputs[0])
    for number, output in enumerate(operator.outputs):
        part = builder.temp_of(_part(x.shape, axis, number, 1), source)
        _add(operator, builder, Reshape((*x.shape[:axis], *x.shape[axis + 1:])), [part], output)


def lower_split(operator: Operator, builder: Builder) -> None:
    """SPLIT in equal parts: axis, x."""
    x = builder.tensor(operator.inputs[1])
    axis, count = _axis(operator, _scalar(operator, builder, 0), len(x.shape), x), operator.options["num_splits"]
    if count != len(operator.outputs) or x.shape[axis] % count:
        _refuse_count(operator, "num_splits", len(operator.outputs))
    _split(operator, builder, operator.inputs[1], axis, [x.shape[axis] // count] * count)


def lower_split_v(operator: Operator, builder: Builder) -> None:
    """SPLIT_V in parts of given sizes: x, sizes, axis. One size may be -1, which is what is left."""
    x = builder.tensor(operator.inputs[0])
    sizes = list(_numbers(operator, builder, 1))
    axis = _axis(operator, _scalar(operator, builder, 2), len(x.shape), x)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if len(sizes) != len(operator.outputs) or min(sizes) < 1 or sum(sizes) != x.shape[axis]:
        raise InputError("FG-OP-38", f"{operator}, input {x} {x.shape}: sizes {sizes} along axis {axis} for "
                         f"{len(operator.outputs)} outputs",
                         expected=f"a size of at least 1 an output, {x.shape[axis]} in all", fix=_EXPORT)
    _split(operator, builder, operator.inputs[0], axis, sizes)


def _split(operator: Operator, builder: Builder, index: int, axis: int, sizes: list[int]) -> None:
    shape, begin = builder.tensor(index).shape, 0
    source = _value(operator, builder, index)
    for output, size in zip(operator.outputs, sizes, strict=True):
        _add(operator, builder, _part(shape, axis, begin, size), [source], output)
        begin += size


def _part(shape: tuple[int, ...], axis: int, begin: int, size: int) -> Slice:
    """``size`` indices of one axis, and all of the others."""
    return Slice(tuple(begin if i == axis else 0 for i in range(len(shape))), (1,) * len(shape),
                 (*shape[:axis], size, *shape[axis + 1:]))


def lower_slice(operator: Operator, builder: Builder) -> None:
    """SLICE: x, begin, size; a size of -1 is all that is left."""
    x = builder.tensor(operator.inputs[0])
    begin, size = (_numbers(operator, builder, i, wide=True) for i in (1, 2))
    if not len(begin) == len(size) == len(x.shape):
        _refuse_ranks(operator, x, len(begin), len(size))
    kept = tuple(n - first if count == -1 else count for n, first, count in zip(x.shape, begin, size, strict=True))
    _add(operator, builder, Slice(begin, (1,) * len(begin), kept))


def lower_strided_slice(operator: Operator, builder: Builder) -> None:
    """STRIDED_SLICE: x, begin, end, step, with the masks that take an axis from its start, to its end, or away."""
    options, x = operator.options, builder.tensor(operator.inputs[0])
    if options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"]:
        raise InputError("FG-OP-39", f"{operator}, input {x}: ellipsis_mask {options['ellipsis_mask']}, new_axis_mask "
                         f"{options['new_axis_mask']}, offset {options['offset']}", expected="none of them",
                         fix="write every axis of the slice, and reshape in an operator of its own")
    begin, end, step = (_numbers(operator, builder, i) for i in (1, 2, 3))
    if not len(begin) == len(end) == len(step) == len(x.shape):
        _refuse_ranks(operator, x, len(begin), len(end), len(step))
    taken = [_strided_axis(operator, x, axis, *numbers)
             for axis, numbers in enumerate(zip(begin, end, step, strict=True))]
    op = Slice(tuple(first for first, _ in taken), step, tuple(count for _, count in taken))
    y = builder.tensor(operator.outputs[0])
    shape = tuple(n for axis, n in enumerate(op.output_shape) if not options["shrink_axis_mask"] >> axis & 1)
    if shape == op.output_shape:
        _add(operator, builder, op)
    else:
        part = builder.temp_of(op, _value(operator, builder, operator.inputs[0]))
        _check_output(operator, y, shape)
        _add(operator, builder, Reshape(shape), [part])


def _strided_axis(operator: Operator, x: Tensor, axis: int, begin: int, end: int, step: int) -> tuple[int, int]:
    """First index and number of indices along an axis; ends are cut off at the tensor's."""
    size, options = x.shape[axis], operator.options
    shrink = options["shrink_axis_mask"] >> axis & 1
    lowest, highest = (0, size) if step > 0 else (-1, size - 1)
    first = min(max(begin + size if begin < 0 else begin, lowest), highest)
    if options["begin_mask"] >> axis & 1:
        first = 0 if step > 0 else size - 1
    last = min(max(end + size if end < 0 else end, lowest), highest)
    if options["end_mask"] >> axis & 1:
        last = size if step > 0 else -1
    count = 1 if shrink else -(-(last - first) // step) if step else 0
    if count < 1 or not 0 <= first < size or (shrink and step < 1):
        raise InputError("FG-OP-40", f"{operator}, input {x} {x.shape}, axis {axis}: from {begin} to {end} by {step}",
                         expected="at least one index, and a positive step where an axis is taken away", fix=_EXPORT)
    return first, count


def lower_pad(operator: Operator, builder: Builder) -> None:
    """PAD with the output's zero point; PADV2 with a constant code of the output's scale."""
    x, y = builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0])
    paddings = np.array(_numbers(operator, builder, 1), np.int64)
    if paddings.size != 2 * len(x.shape) or paddings.min(initial=0) < 0:
        raise InputError("FG-OP-41", f"{operator}, input {x} {x.shape}: paddings {paddings.tolist()}",
                         expected="two an axis, none negative", fix=_EXPORT)
    value = int(y.zero_point[0]) if y.zero_point.size else 0
    if len(operator.inputs) > 2:
        value = _pad_code(operator, builder.tensor(operator.inputs[2]), y)
    before, after = (tuple(paddings[i::2].tolist()) for i in (0, 1))
    _add(operator, builder, Pad(before, after, value))


def _pad_code(operator: Operator, constant: Tensor, y: Tensor) -> int:
    code = weights.array_of(operator, constant, ("int8",))
    if code.size != 1 or not np.array_equal(constant.scale, y.scale) or \
            not np.array_equal(constant.zero_point, y.zero_point):
        raise InputError("FG-OP-42", f"{operator}, padding {constant} {constant.shape}, output {y}",
                         expected="one code, of the output's scale and zero point", fix=_EXPORT)
    return int(code.reshape(-1)[0])


def lower_gather(operator: Operator, builder: Builder) -> None:
    """GATHER with constant indices."""
    x, indices = (builder.tensor(i) for i in operator.inputs)
    axis, numbers = _axis(operator, operator.options["axis"], len(x.shape), x), _numbers(operator, builder, 1)
    if operator.options["batch_dims"]:
        raise InputError("FG-OP-43", f"{operator}, input {x}: batch_dims {operator.options['batch_dims']}",
                         expected="0", fix="gather without batch dimensions")
    if not numbers or min(numbers) < 0 or max(numbers) >= x.shape[axis]:
        raise InputError("FG-OP-44", f"{operator}, indices {indices} from {min(numbers, default=0)} to "
                         f"{max(numbers, default=0)} of axis {axis} of {x} {x.shape}",
                         expected=f"0 to {x.shape[axis] - 1}", fix="correct the indices in the model")
    _add(operator, builder, Gather(axis, numbers, indices.shape))


def _value(operator: Operator, builder: Builder, index: int) -> int:
    """Id of an int8 tensor."""
    tensor = builder.tensor(index)
    if tensor.dtype != "int8":
        raise InputError("FG-OP-45", f"{operator}, {tensor}: {tensor.dtype}", expected="int8",
                         fix="convert the model again with int8 calibration and a fixed input size")
    return builder.value(index)


def _add(operator: Operator, builder: Builder, op: Op, inputs: list[int] | None = None,
         output: int | None = None) -> None:
    """A node from the operator's data input, or other values, to an output whose shape is checked."""
    inputs = [_value(operator, builder, operator.inputs[0])] if inputs is None else inputs
    output = operator.outputs[0] if output is None else output
    (shape,) = builder.infer(op, inputs)
    _check_output(operator, builder.tensor(output), shape)
    builder.add(op, inputs, [_value(operator, builder, output)])


def _check_output(operator: Operator, y: Tensor, shape: tuple[int, ...]) -> None:
    if y.shape != shape:
        raise InputError("FG-OP-46", f"{operator}, output {y} of shape {y.shape}", expected=f"{shape}", fix=_EXPORT)


def _numbers(operator: Operator, builder: Builder, position: int, *, wide: bool = False) -> tuple[int, ...]:
    """A constant input of integers, flat; int64 too where ``wide``."""
    array = weights.array_of(operator, builder.tensor(operator.inputs[position]),
                             ("int32", "int64") if wide else ("int32",))
    return tuple(array.reshape(-1).tolist())


def _scalar(operator: Operator, builder: Builder, position: int) -> int:
    numbers = _numbers(operator, builder, position)
    if len(numbers) != 1:
        raise InputError("FG-OP-47", f"{operator}, {builder.tensor(operator.inputs[position])}: {len(numbers)} numbers",
                         expected="1", fix=_EXPORT)
    return numbers[0]


def _axis(operator: Operator, axis: int, rank: int, tensor: Tensor) -> int:
    """The axis from the front; a negative one counts from behind."""
    if not -rank <= axis < rank:
        raise InputError("FG-OP-48", f"{operator}, axis {axis} of {tensor} with {rank} dimensions",
                         expected=f"{-rank} to {rank - 1}" if rank else "a tensor with dimensions", fix=_EXPORT)
    return axis % rank


def _refuse_count(operator: Operator, option: str, expected: int) -> NoReturn:
    counts = f"{len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    raise InputError("FG-OP-49", f"{operator} with {option} = {operator.options[option]}, {counts}",
                     expected=f"{expected} equal parts", fix=_EXPORT)


def _refuse_ranks(operator: Operator, x: Tensor, *counts: int) -> NoReturn:
    raise InputError("FG-OP-58", f"{operator}, input {x} {x.shape}: {', '.join(map(str, counts))} numbers",
                     expected=f"{len(x.shape)} each", fix=_EXPORT)
