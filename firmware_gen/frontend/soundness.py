"""What must hold for a tensor and for a subgraph, once their fields are read.

Sizes and quantisation are checked here, and that the operators stand in an order in which they
can run: every value is computed before it is used, and once. That also excludes cycles.
"""

from __future__ import annotations

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import ABSENT, Operator, Subgraph, Tensor
from firmware_gen.frontend.schema import TENSOR_TYPES

# The kernels of TensorFlow Lite index at most six dimensions; eight leaves room for reshapes.
MAX_RANK = 8
# No microcontroller addresses more as one tensor, and element counts stay far inside 32 bits.
MAX_TENSOR_BYTES = 2**28

_EXPORT = "export the model again with the TensorFlow Lite converter"


def check_tensor(tensor: Tensor) -> None:
    """Refuse a tensor with an impossible shape, size or quantisation.

    Raises
    ------
    InputError
        Naming the tensor.
    """
    _check_shape(tensor)
    if tensor.data is not None:
        _check_data(tensor)
    _check_quantization(tensor)


def _check_shape(tensor: Tensor) -> None:
    if len(tensor.shape) > MAX_RANK or any(dimension < 0 for dimension in tensor.shape):
        raise InputError("FG-TFL-50", f"{tensor} of shape {tensor.shape[:MAX_RANK + 1]}",
                         expected=f"at most {MAX_RANK} dimensions, none negative", fix=_EXPORT)
    if tensor.byte_size > MAX_TENSOR_BYTES:
        raise InputError("FG-TFL-51", f"{tensor} of {tensor.byte_size} bytes",
                         expected=f"at most {MAX_TENSOR_BYTES}", fix="use a model for a microcontroller")
    signature = tensor.shape_signature
    if signature and (len(signature) != len(tensor.shape) or any(
            signed not in (-1, size) for signed, size in zip(signature, tensor.shape, strict=True))):
        raise InputError("FG-TFL-52", f"{tensor} of shape {tensor.shape} and signature {signature[:MAX_RANK + 1]}",
                         expected="the same dimensions, or -1", fix=_EXPORT)


def _check_data(tensor: Tensor) -> None:
    given = len(tensor.data or b"")
    if TENSOR_TYPES[tensor.dtype] and given != tensor.byte_size:
        raise InputError("FG-TFL-53", f"{tensor}, {tensor.dtype}{list(tensor.shape)}, with {given} bytes of data",
                         expected=f"{tensor.byte_size} bytes", fix=_EXPORT)
    if tensor.is_variable:
        raise InputError("FG-TFL-54", f"{tensor} is a variable and a constant", expected="one of the two", fix=_EXPORT)


def _check_quantization(tensor: Tensor) -> None:
    scale, zero_point = tensor.scale, tensor.zero_point
    if scale.size != zero_point.size:
        raise InputError("FG-TFL-55", f"{tensor} with {scale.size} scales and {zero_point.size} zero points",
                         expected="the same number", fix=_EXPORT)
    if not scale.size:
        return
    usable = np.isfinite(scale) & (scale > 0)
    if not usable.all():
        raise InputError("FG-TFL-56", f"{tensor} with scale {scale[~usable][0]}", expected="finite scales above 0",
                         fix=_EXPORT)
    axis, shape = tensor.axis, tensor.shape
    if scale.size > 1 and not (0 <= axis < len(shape) and shape[axis] == scale.size):
        raise InputError("FG-TFL-57", f"{tensor} of shape {shape} with {scale.size} scales along axis {axis}",
                         expected="one scale, or one for each index of the axis", fix=_EXPORT)
    low, high = _zero_point_range(tensor.dtype)
    if zero_point.min() < low or zero_point.max() > high:
        raise InputError("FG-TFL-58",
                         f"{tensor}, {tensor.dtype}, with zero points {zero_point.min()} to {zero_point.max()}",
                         expected=f"{low} to {high}", fix=_EXPORT)


def _zero_point_range(dtype: str) -> tuple[int, int]:
    bits = min(TENSOR_TYPES[dtype], 32) or 32
    if dtype.startswith("uint"):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def check_subgraph(subgraph: Subgraph, where: str) -> None:
    """Refuse operators that use a value before it is there, or write it twice.

    Raises
    ------
    InputError
        Naming the operator and the tensor.
    """
    _check_inputs(subgraph, where)
    fixed = {tensor.index for tensor in subgraph.tensors if tensor.data is not None} | set(subgraph.inputs)
    ready = fixed | {tensor.index for tensor in subgraph.tensors if tensor.is_variable or tensor.elements == 0}
    for operator in subgraph.operators:
        _run(operator, subgraph.tensors, ready, fixed)
    for output in subgraph.outputs:
        if output not in ready:
            raise InputError("FG-TFL-62", f"{where}: output {subgraph.tensors[output]} is never computed",
                             expected="an operator that computes it", fix=_EXPORT)


def _check_inputs(subgraph: Subgraph, where: str) -> None:
    seen: set[int] = set()
    for index in subgraph.inputs:
        if subgraph.tensors[index].data is not None or index in seen:
            raise InputError("FG-TFL-59", f"{where}: input {subgraph.tensors[index]} is a constant or is given twice",
                             expected="inputs that are set once", fix=_EXPORT)
        seen.add(index)


def _run(operator: Operator, tensors: tuple[Tensor, ...], ready: set[int], fixed: set[int]) -> None:
    for index in operator.inputs:
        if index != ABSENT and index not in ready:
            raise InputError("FG-TFL-60", f"{operator} uses {tensors[index]} before it is computed",
                             expected="operators in the order of execution, without a cycle", fix=_EXPORT)
    for index in operator.outputs:
        if index in fixed:
            raise InputError("FG-TFL-61", f"{operator} writes {tensors[index]} a second time",
                             expected="tensors that are written once", fix=_EXPORT)
        ready.add(index)
        fixed.add(index)
