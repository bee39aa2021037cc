"""Bytes of scratch that the kernels of the rows form (Helium) need, and of a matrix packed at run time."""

from __future__ import annotations

from firmware_gen.ir.ops.base import Window

ALIGNMENT = 16
TILE = 64  # outputs whose sums are held at a time: TFSER_ROWS_TILE


def dense_scratch(depth: int, outputs: int) -> int:
    """``tfser_dense_rows_s8``: sums, and four rows for outputs that lie on their inputs."""
    return _sums(outputs) + 4 * _aligned(depth)


def conv_scratch(depth: int, outputs: int) -> int:
    """``tfser_conv_rows_s8``: sums, the taps of four pixels, ``depth = kh * kw * C`` each, and where they are found."""
    return _sums(outputs) + 5 * _aligned(depth) + _aligned(depth) // 4


def depthwise_scratch(window: Window) -> int:
    """``tfser_depthwise_rows_s8``: a byte a tap, and one channel of the input with its border."""
    height, width = (
        (outputs - 1) * stride + (kernel - 1) * dilation + 1
        for outputs, stride, kernel, dilation in zip(
            window.output, window.stride, window.kernel, window.dilation, strict=True
        )
    )
    return _aligned(window.kernel[0] * window.kernel[1] + height * width)


def packed_bytes(outputs: int, depth: int) -> int:
    """A matrix packed by ``tfser_pack_rows_s8``; its bias, ``4 * outputs`` bytes, is beside it."""
    return outputs * depth


def _sums(outputs: int) -> int:
    """Four rows of int32 with the outputs of a tile, a multiple of four."""
    return 16 * min(-(-outputs // 4) * 4, TILE)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
