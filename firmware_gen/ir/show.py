"""A graph as text, one line a node: for people who debug a pass, and for the documentation."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Scales, Window
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup


def show(graph: Graph, *, origins: bool = False) -> str:
    """The graph as text: inputs, a line a node in their order, outputs.

    Parameters
    ----------
    graph : Graph
    origins : bool, optional
        Also name the operators of the file that each node stands for.

    Examples
    --------
    >>> print(show(graph))  # doctest: +SKIP
    in   %0 [1,100,40]
    %7 [1,100,32] = Dense(%0 [1,100,40], w[32,40], b[32])
    out  %7 [1,100,32]
    """
    lines = [f"in   {_value(graph, i)}" for i in graph.inputs]
    for node in graph.nodes:
        lines.append(_line(graph, node))
        if origins and node.origin:
            lines.append(f"    # {'; '.join(node.origin)}")
    return "\n".join([*lines, *(f"out  {_value(graph, i)}" for i in graph.outputs)]) + "\n"


def count_nodes(graph: Graph) -> dict[str, int]:
    """How many nodes of each operation there are, by name in alphabetical order."""
    return dict(sorted(Counter(type(node.op).__name__ for node in graph.nodes).items()))


def _line(graph: Graph, node: Node) -> str:
    results = ", ".join(_value(graph, i) for i in node.outputs)
    return f"{results} = {_name(node.op)}({', '.join(_value(graph, i) for i in node.inputs)}){_details(node.op)}"


def _value(graph: Graph, i: int) -> str:
    value = graph.values[i]
    shape = f"[{','.join(map(str, value.shape))}]"
    kind = "" if value.dtype == "int8" else f" {value.dtype}"
    return f"{'const' if value.is_constant else '%'}{i} {shape}{kind}"


def _name(op: Op) -> str:
    if isinstance(op, Binary):
        return op.kind
    return op.what if isinstance(op, Lookup) else type(op).__name__


def _details(op: Op) -> str:
    """What is short enough to help: axes, limits, flags, a table's presence, and the body of an Elementwise."""
    if isinstance(op, Elementwise):
        body = [f"{_name(step.op)}({', '.join(f'#{i}' if i >= 0 else f't{-1 - i}' for i in step.operands)})"
                for step in op.steps]
        return " { " + "; ".join(f"t{number} = {text}" for number, text in enumerate(body)) + " }"
    if isinstance(op, Lookup):
        return ""
    found = []
    for field in fields(op):  # type: ignore[arg-type]  # every operation is a dataclass
        value = getattr(op, field.name)
        if isinstance(value, np.ndarray):
            found.append(field.name)
        elif isinstance(value, Window):
            found.append(f"window {value.kernel[0]}x{value.kernel[1]} / {value.stride[0]}x{value.stride[1]}")
        elif isinstance(value, bool) and value:
            found.append(field.name)
        elif isinstance(value, tuple) and field.name != "output_shape":
            found.append(f"{field.name} {value}")
        elif isinstance(value, Clamp) and (value.low, value.high) != (-128, 127):
            found.append(f"clamp {value.low}..{value.high}")
        elif isinstance(value, int | str) and not isinstance(value, bool) and field.name in ("axis", "value", "kind"):
            found.append(f"{field.name} {value}")
        elif isinstance(value, Scale | Scales):
            continue
    return f"  ({', '.join(found)})" if found else ""
