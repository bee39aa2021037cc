"""What every operation of the graph provides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


class Op:
    """An operation: a frozen dataclass of integer parameters.

    ``evaluate`` is the definition of the arithmetic: the C kernels return the same codes, and both
    are compared with TensorFlow Lite Micro. Constant folding and tables are made with it.
    """

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Output shapes from input shapes. Raises ``ValueError`` where they do not fit."""
        raise NotImplementedError

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Outputs from inputs, integer for integer."""
        raise NotImplementedError


def broadcast(*shapes: Sequence[int]) -> Shape:
    """The shape that all of them broadcast to, by NumPy's rule. Raises ``ValueError`` where there is none."""
    try:
        return tuple(np.broadcast_shapes(*(tuple(shape) for shape in shapes)))
    except ValueError as error:
        given = " and ".join(str(tuple(shape)) for shape in shapes)
        raise ValueError(f"{given}, which do not broadcast to one shape") from error


@dataclass(frozen=True)
class Clamp:
    """Zero point and inclusive limits of int8 output codes: a fused activation narrows the limits."""

    zero_point: int
    low: int = -128
    high: int = 127


@dataclass(frozen=True)
class Scale:
    """Requantisation per tensor: ``multiplier`` is Q31 in [2^30, 2^31 - 1], or 0; a negative ``shift`` is right."""

    multiplier: int
    shift: int


@dataclass(frozen=True, eq=False)
class Scales:
    """Requantisation per output channel; arrays of one entry apply to all. int32 ``multiplier``, int8 ``shift``."""

    multiplier: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Window:
    """Sliding window of a convolution or a pool: (height, width) each; ``padding`` is what lies above and left."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    output: tuple[int, int]
