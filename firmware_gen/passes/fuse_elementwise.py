"""Element-wise nodes that follow each other -> one Elementwise: one loop, no tensor between them.

    mul(a, LOGISTIC(b))                ->  Elementwise {t0 = LOGISTIC(b); t1 = mul(a, t0)}
    add(mul(add(x, y), gamma), beta)   ->  Elementwise {t0 = add(x, y); t1 = mul(t0, gamma); t2 = add(t1, beta)}

A node joins its reader where nobody else reads it and both have equally many elements: nothing
is then computed more often than before. A Lookup alone, or a Binary alone, stays what it is.
"""

from __future__ import annotations

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.passes.rewriting import POINTWISE, Change, everywhere, merged_origin

MAX_INPUTS = 8  # more pointers than a core has registers to walk with


def fuse_elementwise(graph: Graph) -> Graph:
    """Join Binary, Lookup and Elementwise nodes with the one node that reads them."""
    return everywhere(graph, _fuse)


def _fuse(graph: Graph, node: Node) -> Change | None:
    if not isinstance(node.op, POINTWISE):
        return None
    for value in dict.fromkeys(node.inputs):
        producer = graph.producer(value)
        if producer is None or not isinstance(producer.op, POINTWISE):
            continue
        if not graph.is_private(value) or graph.values[value].elements != graph.values[node.output].elements:
            continue
        inputs = tuple(dict.fromkeys((*producer.inputs, *(i for i in node.inputs if i != value))))
        if len(inputs) > MAX_INPUTS:
            continue
        steps = _joined(producer, node, inputs)
        fused = Node(Elementwise(steps), inputs, node.outputs, merged_origin(producer, node))
        return Change({producer: (), node: (fused,)})
    return None


def _joined(producer: Node, node: Node, inputs: tuple[int, ...]) -> tuple[Step, ...]:
    """Steps of the first node and then of the second, with operands in terms of the common inputs."""
    first, second = _steps(producer), _steps(node)
    result = -len(first)  # the last step of the first node

    def moved(operand: int, values: tuple[int, ...], offset: int) -> int:
        if operand < 0:
            return operand - offset
        return result if values[operand] == producer.output else inputs.index(values[operand])

    return (*(Step(step.op, tuple(moved(i, producer.inputs, 0) for i in step.operands)) for step in first),
            *(Step(step.op, tuple(moved(i, node.inputs, len(first)) for i in step.operands)) for step in second))


def _steps(node: Node) -> tuple[Step, ...]:
    if isinstance(node.op, Elementwise):
        return node.op.steps
    assert isinstance(node.op, Binary | Lookup)
    return (Step(node.op, tuple(range(len(node.inputs)))),)
