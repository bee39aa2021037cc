"""Collects values and nodes while the operators of a file are lowered one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import Operator, Subgraph, Tensor, shorten
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Op, Shape

# Types that a value may have. int32 and int64 are shapes, axes and biases: constants.
ARRAY_TYPES: Mapping[str, str] = MappingProxyType({"int8": "i1", "int32": "<i4", "int64": "<i8", "float32": "<f4"})


class Builder:
    """The graph of a subgraph, as it grows.

    ``origin`` is set by the driver before each operator, and is what its nodes say that they stand for.
    """

    def __init__(self, subgraph: Subgraph) -> None:
        self.subgraph = subgraph
        self.tensors: tuple[Tensor, ...] = subgraph.tensors
        self.origin = ""
        self._values: dict[int, Value] = {}
        self._nodes: list[Node] = []
        self._of_tensor: dict[int, int] = {}
        self._producer: dict[int, Node] = {}

    def begin(self, operator: Operator) -> None:
        """Nodes that follow stand for this operator."""
        self.origin = str(operator)

    def tensor(self, index: int) -> Tensor:
        """A tensor of the file by its index."""
        return self.tensors[index]

    def value(self, index: int) -> int:
        """Id of the value of a tensor of the file; the same for the same tensor."""
        if index not in self._of_tensor:
            tensor = self.tensors[index]
            data = None
            if tensor.data is not None:
                data = np.frombuffer(tensor.data, ARRAY_TYPES[tensor.dtype]).reshape(tensor.shape)
            one = tensor.scale.size == 1
            self._of_tensor[index] = self._new(
                tensor.name, tensor.shape, tensor.dtype, float(tensor.scale[0]) if one else 0.0,
                int(tensor.zero_point[0]) if one else 0, data)
        return self._of_tensor[index]

    def constant(self, array: np.ndarray, name: str) -> int:
        """Id of a new constant."""
        return self._new(name, array.shape, str(array.dtype), 0.0, 0, array)

    def temp(self, shape: tuple[int, ...], name: str, *, dtype: str = "int8", scale: float = 0.0,
             zero_point: int = 0) -> int:
        """Id of a new value that no tensor of the file stands for."""
        return self._new(name, shape, dtype, scale, zero_point, None)

    def shape(self, value: int) -> tuple[int, ...]:
        """Shape of a value."""
        return self._values[value].shape

    def data(self, value: int) -> np.ndarray | None:
        """Elements of a constant; ``None`` for what is computed at run time."""
        return self._values[value].data

    def producer(self, value: int) -> Node | None:
        """The node that computes a value; ``None`` for a constant and for an input of the model."""
        return self._producer.get(value)

    def infer(self, op: Op, inputs: list[int]) -> tuple[Shape, ...]:
        """Shapes of the outputs of an operation on values; refuses those that do not fit it."""
        shapes = [self.shape(i) for i in inputs]
        try:
            return op.infer(shapes)
        except ValueError as error:
            raise InputError("FG-OP-63", f"{self.origin}: {error}", expected="shapes that fit the operator",
                             fix="convert the model again with a fixed input size") from error

    def add(self, op: Op, inputs: list[int], outputs: list[int]) -> None:
        """A node for the operator at hand; refuses outputs of other shapes than the operation gives."""
        found, expected = self.infer(op, inputs), tuple(self.shape(i) for i in outputs)
        if found != expected:
            names = ", ".join(repr(shorten(self._values[i].name)) for i in outputs)
            raise InputError("FG-OP-64", f"{self.origin}, output {names} of shape {_list(expected)}",
                             expected=_list(found), fix="convert the model again with a fixed input size")
        node = Node(op, tuple(inputs), tuple(outputs), (self.origin,))
        self._nodes.append(node)
        self._producer.update(dict.fromkeys(outputs, node))

    def temp_of(self, op: Op, *inputs: int) -> int:
        """A node with one new output of the shape that the operation infers; gives the output's id."""
        (shape,) = self.infer(op, list(inputs))
        output = self.temp(shape, f"{self.origin} {type(op).__name__} {len(self._nodes)}")
        self.add(op, list(inputs), [output])
        return output

    def graph(self) -> Graph:
        """The graph, with the inputs and outputs of the subgraph."""
        inputs = tuple(self.value(i) for i in self.subgraph.inputs)
        outputs = tuple(self.value(i) for i in self.subgraph.outputs)
        named = {*inputs, *outputs, *(i for node in self._nodes for i in (*node.inputs, *node.outputs))}
        return Graph({i: self._values[i] for i in sorted(named)}, tuple(self._nodes), inputs, outputs)

    def _new(self, name: str, shape: tuple[int, ...], dtype: str, scale: float, zero_point: int,
             data: np.ndarray | None) -> int:
        value = Value(len(self._values), name, tuple(shape), dtype, scale, zero_point, data)
        self._values[value.id] = value
        return value.id


def _list(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(map(str, shapes))
