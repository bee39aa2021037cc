"""From scales and options to integers, in the precision in which TensorFlow Lite Micro's Prepare computes them."""

from __future__ import annotations

import math

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.fixedpoint import INT32_MAX, SHIFT_MAX, quantize_multiplier
from firmware_gen.frontend.model import Operator, Tensor
from firmware_gen.ir.ops.base import Clamp, Scale, Scales, Window

LARGEST_WINDOW = (1 << 15) - 1  # positions of a window stay far inside of int32
_EXPORT = "convert the model again with int8 calibration"


def code_of(tensor: Tensor, real: float) -> int:
    """``real`` as a code of the tensor, not clamped: divided and rounded in float32, halves away from zero."""
    with np.errstate(over="ignore"):
        ratio = min(abs(float(np.float32(real) / np.float32(tensor.scale[0]))), 2.0**40)
    return int(tensor.zero_point[0]) + int(math.copysign(math.floor(ratio + 0.5), real))


def output_clamp(operator: Operator, output: Tensor) -> Clamp:
    """Zero point of the output and the limits of its fused activation."""
    activation = operator.options.get("fused_activation_function", "NONE")
    limits = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if activation not in limits:
        raise InputError("FG-OP-01", f"{operator}, output {output}: fused activation {activation}",
                         expected=", ".join(limits), fix="make the activation an operator of its own")
    low, high = ((end if real is None else code_of(output, real)) for real, end in
                 zip(limits[activation], (-128, 127), strict=True))
    if max(abs(low), abs(high)) > INT32_MAX:
        raise InputError("FG-OP-02", f"{operator}, output {output}: {activation} with scale {output.scale[0]:g}",
                         expected="limits within 2^31 steps of the scale", fix=_EXPORT)
    return Clamp(int(output.zero_point[0]), max(-128, low), min(127, high))


def scale_of(operator: Operator, tensor: Tensor, real: float) -> Scale:
    """The factor ``real``, of accumulators of the operator to codes of ``tensor``, in fixed point."""
    multiplier, shift = quantize_multiplier(real) if math.isfinite(real) else (0, SHIFT_MAX + 1)
    if shift > SHIFT_MAX:
        raise InputError("FG-OP-03", f"{operator}, output {tensor}: scales that make a factor of {real:g}",
                         expected=f"a factor below 2^{SHIFT_MAX}", fix=_EXPORT)
    return Scale(multiplier, shift)


def product_scale(operator: Operator, a: Tensor, b: Tensor, output: Tensor) -> Scale:
    """``a.scale * b.scale / output.scale`` of whole tensors: the product in float32, the quotient in float64."""
    with np.errstate(over="ignore"):
        product = float(np.float32(a.scale[0]) * np.float32(b.scale[0]))
    return scale_of(operator, output, product / float(output.scale[0]))


def channel_scales(operator: Operator, x: Tensor, weights: Tensor, output: Tensor) -> Scales:
    """``x.scale * weights.scale[n] / output.scale`` for every channel, or once for all: all in float64."""
    pairs = [scale_of(operator, output, float(x.scale[0]) * float(scale) / float(output.scale[0]))
             for scale in weights.scale]
    return Scales(np.array([pair.multiplier for pair in pairs], np.int32),
                  np.array([pair.shift for pair in pairs], np.int8))


def scales_of(scale: Scale) -> Scales:
    """One scale for all channels."""
    return Scales(np.array([scale.multiplier], np.int32), np.array([scale.shift], np.int8))


def sliding_window(operator: Operator, size: tuple[int, ...], kernel: tuple[int, ...], output: Tensor) -> Window:
    """The window of a convolution or a pool over an image of ``size``; checks the size of the output."""
    options = operator.options
    stride = (options["stride_h"], options["stride_w"])
    dilation = (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1))
    if max(*kernel, *stride, *dilation) > LARGEST_WINDOW:
        raise InputError("FG-OP-25", f"{operator}: window {tuple(kernel)}, stride {stride}, dilation {dilation}",
                         expected=f"at most {LARGEST_WINDOW} each", fix="use a window of the image's size")
    axes = [_window_axis(options["padding"], *axis) for axis in zip(size, kernel, stride, dilation, strict=True)]
    counts, before = (axes[0][0], axes[1][0]), (axes[0][1], axes[1][1])
    if tuple(output.shape[1:3]) != counts or min(counts) < 1:
        raise InputError(
            "FG-OP-04", f"{operator}, output {output}: {tuple(output.shape[1:3])} positions of a {kernel} window "
            f"with stride {stride}, dilation {dilation}, padding {options['padding']} in an image of {size}",
            expected=f"{counts}", fix="convert the model again with a fixed input size")
    return Window((kernel[0], kernel[1]), stride, dilation, before, counts)


def _window_axis(padding: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Positions along one axis, and the padding before the first element."""
    reach = (kernel - 1) * dilation + 1
    count = -(-size // stride) if padding == "SAME" else (size + stride - reach) // stride
    return count, max(0, (count - 1) * stride + reach - size) // 2
