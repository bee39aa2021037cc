"""Bytes of scratch that kernels of the pairs form (SMLAD, scalar cores) need, and of matrices packed at run time."""

from __future__ import annotations

from firmware_gen.ir.ops.base import Window

ALIGNMENT = 8
ROWS = 4  # rows that are widened at a time
PLANE_BYTES = 2048  # most of a channel that is widened at a time: TFSER_PLANE_BYTES
SUMS = 160  # of outputs of a channel that are held at a time: TFSER_HELD
OVERREAD_BYTES = 16  # behind a plane, which may be read


def dense_scratch(depth: int, rows: int, *, dsp: bool) -> int:
    """``tfser_dense_pairs_s8``: four widened rows; a single one is read where it lies."""
    return wide_bytes(depth, dsp=dsp) if rows > 1 else 0


def conv_scratch(depth: int, channels: int, *, dsp: bool) -> int:
    """``tfser_conv_pairs_s8``: the taps of four pixels widened, ``depth = kh * kw * C`` each.

    Where the channels are not in whole words, the taps of one pixel beside them.
    """
    return wide_bytes(depth, dsp=dsp) + (0 if channels % 4 == 0 else padded_depth(depth))


def wide_bytes(depth: int, *, dsp: bool) -> int:
    """Four rows in pairs of int16, or of int32 for cores that multiply single numbers."""
    return ROWS * (2 if dsp else 4) * padded_depth(depth)


def depthwise_scratch(window: Window) -> int:
    """``tfser_depthwise_pairs_s8``: a channel's weights, sums of its outputs,
    and rows of its image as int16 with their border.

    The longer side of the output is the row. A dilation along it splits a row into phases. A strip
    of the image is there at a time where the whole exceeds ``PLANE_BYTES``.
    """
    rows, columns = (0, 1) if window.output[0] <= window.output[1] else (1, 0)
    phases = window.dilation[columns] if window.stride[columns] == 1 else 1
    pitch = -(-_reach(window, columns, window.output[columns]) // phases)
    row = phases * (pitch + pitch % 2)
    fit = PLANE_BYTES // (2 * row) - _reach(window, rows, 1)
    outputs = 1 if fit < 0 else min(fit // window.stride[rows] + 1, window.output[rows])
    weights = 16 + window.kernel[rows] * (window.kernel[columns] // 2 + 1) * 8
    width = -(-window.output[columns] // phases)
    sums = 4 * min(outputs * (-(-width // 4) * 4), SUMS)
    return -(-(weights + sums + 2 * _reach(window, rows, outputs) * row + OVERREAD_BYTES) // ALIGNMENT) * ALIGNMENT


def _reach(window: Window, axis: int, outputs: int) -> int:
    """Elements along an axis of the padded image that the taps of ``outputs`` neighbours span."""
    return (outputs - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1


def packed_bytes(outputs: int, depth: int) -> int:
    """A matrix packed by ``tfser_pack_pairs_s8``: outputs in twos, depth padded."""
    return (outputs + outputs % 2) * padded_depth(depth)


def padded_depth(depth: int) -> int:
    """Depth in whole words of packed weights."""
    return -(-depth // 4) * 4
