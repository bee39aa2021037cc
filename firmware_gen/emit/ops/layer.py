"""What layers with packed weights have in common: the ``tfser_dense`` structure, weights, bias, bounds."""

from __future__ import annotations

import numpy as np

from firmware_gen.emit.context import Context, clamp_fields
from firmware_gen.emit.packing import can_join, pack_pairs
from firmware_gen.emit.packing_rows import fold_bias, pack_rows
from firmware_gen.errors import InputError
from firmware_gen.ir.ops.base import Clamp, Scale, Scales

NARROW = 1 << 30  # accumulators below it can be doubled in int32
NARROW_SHIFTS = (-23, -1)  # a zero point and a half, shifted left by it, fit int32 beside what they are added to
JOINED = 1 << 22  # accumulators below it can be doubled and taken from the upper 24 bits of a sum


def layer(context: Context, *, depth: int, outputs: int, zero_points: tuple[int, int], scales: Scales | Scale,
          clamp: Clamp, narrow: int, table: np.ndarray | None) -> str:
    """Declaration of the layer's structure.

    ``zero_points`` are those of the input and of the weights.
    """
    multiplier, shift, per_channel = context.scales(scales)
    fields = [multiplier, shift, per_channel, depth, outputs, *zero_points, clamp_fields(clamp),
              narrow, context.table(table, "table")]
    return f"static const tfser_dense layer{context.position} = {{{', '.join(map(str, fields))}}};"


def bound(weights: np.ndarray, bias: np.ndarray | None, input_zero_point: int, weights_zero_point: int) -> int:
    """Largest magnitude of an accumulator, or of a part of its sum, of any input; weights ``[N, K]``."""
    factors = weights.astype(np.int64) - weights_zero_point
    above, below = np.maximum(factors, 0).sum(axis=1), np.minimum(factors, 0).sum(axis=1)
    high, low = 127 - input_zero_point, -128 - input_zero_point
    largest, least = above * high + below * low, above * low + below * high
    added = np.zeros(1, np.int64) if bias is None else bias.astype(np.int64)
    return int(max(np.maximum(largest, largest + added).max(), -np.minimum(least, least + added).min()))


def narrowness(context: Context, largest: int, scales: Scales | Scale, weights: np.ndarray | None = None) -> int:
    """``narrow`` of a layer with a matrix or kernel of constant weights ``[N, K]``, or with one known at run time.

    ``largest`` is the bound of :func:`bound`. Refuses accumulators that may not fit int32.
    """
    if largest >= 1 << 31:
        raise InputError("FG-EMIT-01", f"{context.title}: a sum of products may reach {largest}",
                         expected="sums below 2^31", fix="use fewer inputs, or a smaller bias")
    return narrow_of(largest, scales, weights if context.form == "pairs" else None)


def narrow_of(largest: int, scales: Scales | Scale, weights: np.ndarray | None) -> int:
    """``narrow`` of ``tfser_dense.h``; 2 only where the bytes of two outputs can be joined."""
    if not fits_narrow(largest, scales):
        return 0
    return 2 if weights is not None and largest < JOINED and can_join(weights) else 1


def fits_narrow(largest: int, scales: Scales | Scale) -> bool:
    """Whether ``narrow`` is not 0."""
    shift = np.asarray(scales.shift)
    return largest < NARROW and bool(np.all((shift >= NARROW_SHIFTS[0]) & (shift <= NARROW_SHIFTS[1])))


def packed(context: Context, weights: np.ndarray, bias: np.ndarray | None, input_zero_point: int,
           weights_zero_point: int, narrow: int) -> tuple[str, str]:
    """Names of the packed weights ``[N, K]`` and of the bias (``0`` for none)."""
    array = pack_rows(weights) if context.form == "rows" else pack_pairs(weights, joined=narrow == 2)
    return (context.constants.add("weights", array, f"weights of {context.title}"),
            packed_bias(context, weights, bias, input_zero_point, weights_zero_point))


def packed_bias(context: Context, weights: np.ndarray, bias: np.ndarray | None, input_zero_point: int,
                weights_zero_point: int) -> str:
    """Name of the bias, ``0`` for none.

    In rows form the zero point is in it; where the file has no bias, that is a table.
    """
    kind = "weights" if bias is not None else "tables"
    if context.form == "rows":
        bias = fold_bias(weights, bias, input_zero_point, weights_zero_point)
    if bias is None:
        return "0"
    return context.constants.add(kind, bias.astype(np.int32), f"bias of {context.title}")
