"""What layers with weights have in common: from accumulators to codes, and sliding windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firmware_gen.fixedpoint import clamp, requantize, wrap
from firmware_gen.ir.ops.base import Clamp, Scale, Scales, Shape, Window


def codes(acc: np.ndarray, scale: Scale | Scales, limits: Clamp, table: np.ndarray | None = None) -> np.ndarray:
    """int8 codes of int32 accumulators ``[..., N]`` (what leaves the range wraps), then ``table[code + 128]``."""
    scaled = requantize(wrap(acc), scale.multiplier, scale.shift)
    result = clamp(scaled, limits.zero_point, limits.low, limits.high)
    return result if table is None else table[result.astype(np.intp) + 128]


def add_bias(acc: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Accumulators in int64, with the bias ``[N]`` where there is one. Products are summed in float64, exactly."""
    exact = acc.astype(np.int64)
    return exact if bias is None else exact + bias


def centred(x: np.ndarray, zero_point: int) -> np.ndarray:
    """``x - zero_point`` as float64, in which every sum of the products of codes below 2^53 is exact."""
    return x.astype(np.float64) - zero_point


def taps(x: np.ndarray, window: Window, outside: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """For each tap of the window its row, its column and what every output position reads there.

    ``x`` is ``[B, H, W, C]``, a tap ``[B, *window.output, C]``; positions outside of x read ``outside``.
    """
    after = [max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size - before) for
             out, stride, kernel, dilation, size, before in
             zip(window.output, window.stride, window.kernel, window.dilation, x.shape[1:3], window.padding,
                 strict=True)]
    margins = ((0, 0), (window.padding[0], after[0]), (window.padding[1], after[1]), (0, 0))
    padded = np.pad(x, margins, constant_values=outside)
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            top, left = row * window.dilation[0], column * window.dilation[1]
            yield row, column, padded[:, top:top + (window.output[0] - 1) * window.stride[0] + 1:window.stride[0],
                                      left:left + (window.output[1] - 1) * window.stride[1] + 1:window.stride[1]]


def check(condition: bool, message: str) -> None:
    """Raise ``ValueError`` with the message where shapes do not fit."""
    if not condition:
        raise ValueError(message)


def check_bias(shapes: tuple[Shape, ...], count: int) -> None:
    """An optional third input has one element an output."""
    check(len(shapes) in (2, 3), f"{len(shapes)} inputs; expected 2 or 3")
    check(len(shapes) == 2 or tuple(shapes[2]) == (count,), f"bias {shapes[-1]} for {count} outputs")


def check_scales(scales: Scales, count: int) -> None:
    """One multiplier and shift, or one an output."""
    sizes = (np.size(scales.multiplier), np.size(scales.shift))
    check(sizes in ((1, 1), (count, count)), f"{sizes[0]} multipliers and {sizes[1]} shifts for {count} outputs")


def check_window(size: tuple[int, int], window: Window) -> None:
    """The window has taps, moves on, and no output position lies wholly outside of the image."""
    names = (window.kernel, window.stride, window.dilation, window.output)
    check(all(n >= 1 for pair in names for n in pair) and min(window.padding) >= 0, f"window {window}")
    for out, stride, kernel, dilation, n, before in zip(window.output, window.stride, window.kernel, window.dilation,
                                                        size, window.padding, strict=True):
        last = (out - 1) * stride - before
        check(last < n and (kernel - 1) * dilation >= before, f"window {window} leaves an image of {size}")
