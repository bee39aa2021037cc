"""The graph between the frontend and the C text: values, nodes, and nothing that is not needed to compute.

Arithmetic is on integers: the frontend turns every scale into a Q31 multiplier and a shift, so
that a pass may merge nodes without knowing what a code stands for. A ``Value`` keeps its scale
for the model's inputs and outputs and for the printed graph only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from firmware_gen.ir.ops.base import Op


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor: constant where ``data`` is given, else computed at run time.

    ``dtype`` is a NumPy name: ``int8`` for everything that runs; ``int32`` and ``float32`` occur
    only before the passes have folded them. ``scale`` and ``zero_point`` are those of the file.
    """

    id: int
    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float = 0.0
    zero_point: int = 0
    data: np.ndarray | None = None

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def byte_size(self) -> int:
        """Bytes of the elements, packed."""
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def is_constant(self) -> bool:
        """Whether the value is known when compiling."""
        return self.data is not None


@dataclass(frozen=True, eq=False)
class Node:
    """One operation. ``origin`` names the operators of the file that it stands for, in their order."""

    op: Op
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    origin: tuple[str, ...] = ()

    @property
    def output(self) -> int:
        """The only output."""
        (output,) = self.outputs
        return output

    @property
    def title(self) -> str:
        """The operators of the file that it stands for; its own where there are none."""
        return ", ".join(self.origin) or type(self.op).__name__

    def __str__(self) -> str:
        return f"{type(self.op).__name__} ({'; '.join(self.origin)})" if self.origin else type(self.op).__name__


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which they can run; each value has one producer, or is an input or a constant."""

    values: Mapping[int, Value]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    _producers: dict[int, Node] = field(default_factory=dict, init=False, repr=False)
    _consumers: dict[int, list[Node]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def producer(self, value: int) -> Node | None:
        """The node that computes ``value``; ``None`` for an input or a constant."""
        if not self._producers:
            self._producers.update({i: node for node in self.nodes for i in node.outputs})
        return self._producers.get(value)

    def consumers(self, value: int) -> tuple[Node, ...]:
        """The nodes that read ``value``, each once, in order. A model output has a reader that is not among them."""
        if not self._consumers:
            for node in self.nodes:
                for i in dict.fromkeys(node.inputs):
                    self._consumers.setdefault(i, []).append(node)
        return tuple(self._consumers.get(value, ()))

    def is_private(self, value: int) -> bool:
        """Whether one node alone reads ``value``, and nobody outside the graph."""
        return len(self.consumers(value)) == 1 and value not in self.outputs

    def new_id(self) -> int:
        """An id that no value has."""
        return max(self.values, default=-1) + 1

    def with_nodes(self, nodes: Iterable[Node], values: Iterable[Value] = ()) -> Graph:
        """The graph with other nodes and, by id, added or replaced values; values that nobody names are dropped."""
        nodes = tuple(nodes)
        known = {**self.values, **{value.id: value for value in values}}
        named = {*self.inputs, *self.outputs, *(i for node in nodes for i in (*node.inputs, *node.outputs))}
        return replace(self, values={i: known[i] for i in sorted(named)}, nodes=nodes)
