"""Transposes before and after a MatMul, so that its rows lie together.

    MatMul(a, Transpose(b, (0, 2, 3, 1)))  ->  MatMul(a, Transpose(b, (0, 2, 1, 3)), transpose_b)
    MatMul(a, Transpose(b, (0, 1, 3, 2)))  ->  MatMul(a, b, transpose_b)
    MatMul(a, b, transpose_a)              ->  MatMul(Transpose(a), b)
    Transpose(MatMul(a, b, transpose_b))   ->  MatMul(b, a, transpose_b)      where it exchanges the last two axes

The second operand is packed with any strides, so the flag costs nothing there, and what is left
of the Transpose keeps the last axis of its source last: a matter of strides too. The first
operand is read row by row, each row side by side: where that is not how it lies a Transpose says
so, which may meet another one or be planned as a copy. The last rule is for Keras' attention: its
scores are keys by queries first.
"""

from __future__ import annotations

from dataclasses import replace

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Transpose
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin, new_value, only_input


def matmul_transposes(graph: Graph) -> Graph:
    """Move the exchange of the last two axes into ``transpose_b``, and out of ``transpose_a``."""
    return everywhere(graph, _turn)


def _turn(graph: Graph, node: Node) -> Change | None:
    if isinstance(node.op, Transpose):
        return _exchange(graph, node, node.op)
    if not isinstance(node.op, MatMul):
        return None
    first, second = node.inputs
    if node.op.transpose_a:
        rank = len(graph.values[first].shape)
        op = replace(node.op, transpose_a=False)
        return _with_transpose(graph, node, op, 0, first, (*range(rank - 2), rank - 1, rank - 2), node.origin)
    before = graph.producer(second)
    if before is None or not isinstance(before.op, Transpose):
        return None
    permutation = before.op.permutation
    if permutation[-2] != len(permutation) - 1:
        return None
    swapped = (*permutation[:-2], permutation[-1], permutation[-2])
    op = replace(node.op, transpose_b=not node.op.transpose_b)
    return _with_transpose(graph, node, op, 1, before.inputs[0], swapped, merged_origin(before))


def _with_transpose(graph: Graph, node: Node, op: MatMul, position: int, source: int, permutation: tuple[int, ...],
                    origin: tuple[str, ...]) -> Change:
    """The product with a transposed value as one of its operands."""
    shape = graph.values[source].shape
    kept = new_value(graph, node.inputs[position], tuple(shape[i] for i in permutation))
    inputs = tuple(kept.id if i == position else value for i, value in enumerate(node.inputs))
    return Change({node: (Node(Transpose(permutation), (source,), (kept.id,), origin),
                          Node(op, inputs, node.outputs, node.origin))}, (kept,))


def _exchange(graph: Graph, node: Node, op: Transpose) -> Change | None:
    """The operands in the other order instead of their transposed product: sums of the same products."""
    product = only_input(graph, node)
    rank = len(op.permutation)
    if op.permutation != (*range(rank - 2), rank - 1, rank - 2):
        return None
    if product is None or not isinstance(product.op, MatMul) or product.op.transpose_a or not product.op.transpose_b:
        return None
    exchanged = replace(product.op, a_zero_point=product.op.b_zero_point, b_zero_point=product.op.a_zero_point)
    layer = Node(exchanged, product.inputs[::-1], node.outputs, merged_origin(product, node))
    return Change({product: (), node: (layer,)})
