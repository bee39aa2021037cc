"""Float operations that exist only between DEQUANTIZE and QUANTIZE, until the passes make tables of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from firmware_gen.ir.ops.base import Op, Shape

# Those whose float32 result is the same on every machine: IEEE 754 defines it to the last bit.
FLOAT_FUNCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType({
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "neg": np.negative,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "relu6": lambda x: np.clip(x, np.float32(0), np.float32(6)),
    "square": np.square,
})


class _FloatOp(Op):
    """One input, one output of the same shape."""

    def infer(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = shapes
        return (tuple(x),)


@dataclass(frozen=True)
class Dequantize(_FloatOp):
    """int8 to float32, ``scale * (x - zero_point)`` in float32."""

    scale: float
    zero_point: int

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(over="ignore"):
            return (np.float32(self.scale) * (inputs[0].astype(np.int32) - self.zero_point).astype(np.float32),)


@dataclass(frozen=True)
class Quantize(_FloatOp):
    """float32 to int8 as TFLite Micro rounds: to nearest, halves away from zero, then clamped."""

    scale: float
    zero_point: int

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(over="ignore"):
            ratio = (inputs[0].astype(np.float32) / np.float32(self.scale)).astype(np.float64)
        # Beyond 2^30 every code is clamped, whatever is added; float64 adds the half without rounding.
        ratio = np.clip(ratio, -(2.0**30), 2.0**30)
        rounded = np.copysign(np.floor(np.abs(ratio) + 0.5), ratio).astype(np.int64)
        return (np.clip(rounded + self.zero_point, -128, 127).astype(np.int8),)


@dataclass(frozen=True)
class FloatUnary(_FloatOp):
    """A function of ``FLOAT_FUNCTIONS`` on float32, as TFLite Micro computes it."""

    kind: str

    def evaluate(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(over="ignore"):
            return (FLOAT_FUNCTIONS[self.kind](inputs[0]).astype(np.float32),)
