"""Graphs for the tests of passes, made operation by operation, with results that use most of the codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from graph_runner import assert_same

from firmware_gen.fixedpoint import quantize_multiplier
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Scales, Window
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape, Slice, Transpose
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.verify import verify

SPREAD = 74  # standard deviation of codes drawn evenly
WEIGHT_SPREAD = 60
IDENTITY = np.arange(-128, 128).astype(np.int8)
_SHIFTED = 20  # bits by which a sum's operands are shifted to the left


class Maker:
    """Collects values and nodes; every method gives the id of its result."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.values: dict[int, Value] = {}
        self.nodes: list[Node] = []
        self.inputs: list[int] = []

    def input(self, *shape: int) -> int:
        """An input of the model."""
        self.inputs.append(self._value(shape))
        return self.inputs[-1]

    def constant(self, data: np.ndarray | Sequence[int]) -> int:
        """A constant: int8 unless it is an array of another type."""
        array = data if isinstance(data, np.ndarray) else np.array(data, np.int8)
        return self._value(array.shape, array)

    def drawn(self, *shape: int) -> int:
        """A constant of random codes."""
        return self.constant(self.rng.integers(-100, 101, shape).astype(np.int8))

    def add(self, op: Op, *inputs: int) -> int:
        """Any operation; its result has the shape that it infers."""
        (shape,) = op.infer([self.values[i].shape for i in inputs])
        output = self._value(shape)
        self.nodes.append(Node(op, inputs, (output,), (f"operator {len(self.nodes)}",)))
        return output

    def lookup(self, x: int, table: np.ndarray | None = None) -> int:
        """A Lookup of a random table, unless one is given."""
        return self.add(Lookup(self.rng.permutation(IDENTITY) if table is None else table, f"F{len(self.nodes)}"), x)

    def binary(self, kind: str, a: int, b: int) -> int:
        """A function of two."""
        unit = Scale(*quantize_multiplier(0.5))
        factor = {"add": 1, "sub": 1, "mul": 1 / 128, "squared_difference": 1 / 256}.get(kind, 1)
        shift = 0 if kind in ("mul", "maximum", "minimum") else 7 if kind == "squared_difference" else _SHIFTED
        factor /= 2.0 ** (2 * (shift - 1) if kind == "squared_difference" else shift)
        return self.add(Binary(kind, 3, -4, shift, unit, unit, Scale(*quantize_multiplier(factor)), Clamp(-2)), a, b)

    def dense(self, x: int, outputs: int, *, bias: bool = True, per_channel: bool = True, zero_point: int = 5) -> int:
        """A layer on the last dimension."""
        shape = self.values[x].shape
        weights = self.constant(self._weights(outputs, shape[-1]))
        op = Dense(zero_point, 0, self.scales(outputs if per_channel else 1, shape[-1]), Clamp(-3),
                   (*shape[:-1], outputs))
        return self.add(op, x, weights, *([self.bias(outputs)] if bias else []))

    def conv(self, x: int, outputs: int, kernel: tuple[int, int], *, zero_point: int = 5, **window: tuple[int, int]
             ) -> int:
        """A convolution; strides, padding and dilation as given, as many positions as fit."""
        shape = self.values[x].shape
        weights = self.constant(self._weights(outputs, *kernel, shape[3]))
        made = self._window(shape, kernel, **window)
        op = Conv2D(zero_point, self.scales(outputs, kernel[0] * kernel[1] * shape[3]), Clamp(-3), made)
        return self.add(op, x, weights, self.bias(outputs))

    def depthwise(self, x: int, kernel: tuple[int, int], *, times: int = 1, zero_point: int = 5,
                  **window: tuple[int, int]) -> int:
        """A convolution of every channel."""
        shape = self.values[x].shape
        weights = self.constant(self._weights(*kernel, shape[3] * times))
        made = self._window(shape, kernel, **window)
        op = DepthwiseConv2D(zero_point, self.scales(shape[3] * times, kernel[0] * kernel[1]), Clamp(-3), made, times)
        return self.add(op, x, weights, self.bias(shape[3] * times))

    def matmul(self, a: int, b: int, *, transpose_a: bool = False, transpose_b: bool = False) -> int:
        """A product."""
        depth = self.values[a].shape[-2 if transpose_a else -1]
        scale = Scale(*quantize_multiplier(SPREAD / (SPREAD * SPREAD * np.sqrt(depth))))
        return self.add(MatMul(transpose_a, transpose_b, 2, -6, scale, Clamp(-3)), a, b)

    def reduce(self, x: int, axes: Sequence[int], *, keep: bool = True, kind: str = "mean") -> int:
        """A mean that is spread out again, so that it has many codes."""
        shape = self.values[x].shape
        count = int(np.prod([shape[i] for i in axes]))
        result = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
        scale = Scale(*quantize_multiplier(0.7 / np.sqrt(count)))
        return self.add(Reduce(kind, tuple(axes), 4, scale, Clamp(-3), result), x)

    def reshape(self, x: int, *shape: int) -> int:
        """The same elements."""
        return self.add(Reshape(shape), x)

    def transpose(self, x: int, *permutation: int) -> int:
        """Dimensions in another order."""
        return self.add(Transpose(permutation), x)

    def part(self, x: int, **axes: tuple[int, int]) -> int:
        """A slice: ``part(x, d1=(2, 5))`` takes 2, 3, 4 of dimension 1."""
        shape = self.values[x].shape
        ends = [axes.get(f"d{i}", (0, n)) for i, n in enumerate(shape)]
        return self.add(Slice(tuple(a for a, _ in ends), (1,) * len(shape), tuple(b - a for a, b in ends)), x)

    def scales(self, count: int, depth: int) -> Scales:
        """Requantisation that spreads sums of ``depth`` products over the codes, for each output another."""
        fitting = 0.7 / (WEIGHT_SPREAD * np.sqrt(depth))
        pairs = [quantize_multiplier(fitting * factor) for factor in self.rng.uniform(0.7, 1.3, count)]
        return Scales(np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8))

    def bias(self, count: int) -> int:
        """A constant int32 bias."""
        return self.constant(self.rng.integers(-2000, 2001, count).astype(np.int32))

    def graph(self, *outputs: int) -> Graph:
        """The graph of what leads to the outputs, checked."""
        needed = set(outputs)
        nodes: list[Node] = []
        for node in reversed(self.nodes):
            if node.output in needed:
                needed.update(node.inputs)
                nodes.insert(0, node)
        named = sorted({*self.inputs, *needed})
        graph = Graph({i: self.values[i] for i in named}, tuple(nodes), tuple(self.inputs), outputs)
        verify(graph)
        return graph

    def _weights(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-104, 105, shape).astype(np.int8)

    def _window(self, shape: Sequence[int], kernel: tuple[int, int], stride: tuple[int, int] = (1, 1),
                padding: tuple[int, int] = (0, 0), dilation: tuple[int, int] = (1, 1)) -> Window:
        output = tuple((n + 2 * p - (k - 1) * d - 1) // s + 1 for n, p, k, d, s in
                       zip(shape[1:3], padding, kernel, dilation, stride, strict=True))
        return Window(kernel, stride, dilation, padding, (output[0], output[1]))

    def _value(self, shape: Sequence[int], data: np.ndarray | None = None) -> int:
        value = Value(len(self.values), f"v{len(self.values)}", tuple(shape),
                      "int8" if data is None else str(data.dtype), data=data)
        self.values[value.id] = value
        return value.id


def kinds(graph: Graph) -> list[str]:
    """The operations in their order; a Binary by its kind."""
    return [node.op.kind if isinstance(node.op, Binary) else type(node.op).__name__ for node in graph.nodes]


def fires(rewrite: Callable[[Graph], Graph], graph: Graph, expected: Sequence[str]) -> Graph:
    """The pass leaves these operations, the same codes for all inputs, and nothing for a second time."""
    after = rewrite(graph)
    assert kinds(after) == list(expected)
    assert_same(graph, after)
    assert rewrite(after) is after
    assert kinds(rewrite(graph)) == kinds(after)
    return after


def does_nothing(rewrite: Callable[[Graph], Graph], graph: Graph) -> None:
    """The pass gives the very graph that it got."""
    assert rewrite(graph) is graph
