"""Reads and checks the constants of layers: weights, bias, axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import ABSENT, Operator, Tensor

_EXPORT = "convert the model again with int8 calibration"
_TYPES = {"int8": "i1", "int32": "<i4", "int64": "<i8"}


def array_of(operator: Operator, tensor: Tensor, dtypes: Sequence[str]) -> np.ndarray:
    """The elements of a constant of one of the types."""
    if tensor.elements == 0 and tensor.dtype in dtypes:
        return np.zeros(tensor.shape, _TYPES[tensor.dtype])
    if tensor.data is None or tensor.dtype not in dtypes:
        kind = tensor.dtype if tensor.data is not None else f"{tensor.dtype}, computed at run time"
        raise InputError("FG-OP-05", f"{operator}, {tensor}: {kind}", expected=f"a constant of {' or '.join(dtypes)}",
                         fix=_EXPORT)
    return np.frombuffer(tensor.data, _TYPES[tensor.dtype]).reshape(tensor.shape)


def int8_tensor(operator: Operator, tensor: Tensor, ranks: Sequence[int] = ()) -> Tensor:
    """The tensor, if it is int8 with one scale and one of the ranks (any where none is given)."""
    if tensor.dtype != "int8" or tensor.scale.size != 1:
        raise InputError("FG-OP-06", f"{operator}, {tensor}: {tensor.dtype} with {tensor.scale.size} scales",
                         expected="int8 with one scale", fix=_EXPORT)
    if ranks and len(tensor.shape) not in ranks:
        raise InputError("FG-OP-07", f"{operator}, {tensor} of shape {tensor.shape}",
                         expected=f"{' or '.join(map(str, ranks))} dimensions", fix=_EXPORT)
    return tensor


def channel_weights(operator: Operator, tensor: Tensor, rank: int, axis: int) -> np.ndarray:
    """int8 weights whose scale is one for all or one an index of ``axis``; then every zero point is 0."""
    weights = array_of(operator, tensor, ("int8",))
    if weights.ndim != rank or weights.size == 0:
        raise InputError("FG-OP-08", f"{operator}, weights {tensor} of shape {tensor.shape}",
                         expected=f"{rank} dimensions, none of them 0", fix=_EXPORT)
    count = tensor.scale.size
    if count == 0 or (count != 1 and (tensor.axis != axis or count != tensor.shape[axis])):
        raise InputError("FG-OP-09", f"{operator}, weights {tensor}: {count} scales along axis {tensor.axis}",
                         expected=f"one, or {tensor.shape[axis]} along axis {axis}", fix=_EXPORT)
    return weights


def check_symmetric(operator: Operator, tensor: Tensor) -> None:
    """Per-channel weights and those of convolutions have no zero point: the reference takes none into account."""
    if tensor.zero_point.any():
        raise InputError("FG-OP-10", f"{operator}, weights {tensor} with zero point {tensor.zero_point.max()}",
                         expected="weights that are quantised symmetrically", fix=_EXPORT)


def bias_of(operator: Operator, tensors: Sequence[Tensor], count: int) -> np.ndarray | None:
    """The third input, int32 ``[count]``; ``None`` where there is none."""
    if len(operator.inputs) < 3 or operator.inputs[2] == ABSENT:
        return None
    tensor = tensors[operator.inputs[2]]
    bias = array_of(operator, tensor, ("int32",))
    if bias.size != count:
        raise InputError("FG-OP-11", f"{operator}, bias {tensor}: {bias.size} elements", expected=f"{count}",
                         fix=_EXPORT)
    return bias.reshape(count).astype(np.int32)
