"""The ordered list of passes: from the graph of the file to the graph that is planned and emitted."""

from __future__ import annotations

from collections.abc import Callable

from firmware_gen.ir.graph import Graph
from firmware_gen.ir.verify import verify
from firmware_gen.passes.absorb_reshapes import absorb_reshapes
from firmware_gen.passes.conv_to_dense import conv_to_dense
from firmware_gen.passes.depthwise_to_conv import depthwise_to_conv
from firmware_gen.passes.float_islands import float_islands
from firmware_gen.passes.fold_constants import fold_constants
from firmware_gen.passes.fold_lookups import fold_lookups
from firmware_gen.passes.fold_padding import fold_padding
from firmware_gen.passes.fuse_elementwise import fuse_elementwise
from firmware_gen.passes.hoist_lookups import hoist_lookups
from firmware_gen.passes.hoist_reshapes import hoist_reshapes
from firmware_gen.passes.hoist_slices import hoist_slices
from firmware_gen.passes.matmul_to_dense import matmul_to_dense
from firmware_gen.passes.matmul_transposes import matmul_transposes
from firmware_gen.passes.merge_duplicates import merge_duplicates
from firmware_gen.passes.narrow_broadcasts import narrow_broadcasts
from firmware_gen.passes.rewriting import without_unused_nodes
from firmware_gen.passes.simplify_movement import simplify_movement
from firmware_gen.passes.sink_transposes import sink_transposes
from firmware_gen.passes.split_layers import split_layers
from firmware_gen.passes.unary_chains import unary_chains

Pass = Callable[[Graph], Graph]

#: Run in this order, and again until a whole round changes nothing.
PASSES: tuple[Pass, ...] = (
    without_unused_nodes,
    fold_constants,
    float_islands,
    simplify_movement,
    sink_transposes,
    merge_duplicates,
    narrow_broadcasts,
    unary_chains,
    fold_padding,
    depthwise_to_conv,
    conv_to_dense,
    matmul_transposes,
    matmul_to_dense,
    absorb_reshapes,
    hoist_slices,
    hoist_lookups,
    split_layers,
    fold_lookups,
)
#: Run when the others have settled, and these then once more: what they make is of use to few of the others.
LAST: tuple[Pass, ...] = (hoist_reshapes, fuse_elementwise)

MAX_ROUNDS = 32  # a graph settles in two or three, one whose Slices go far up in about ten


def optimise(graph: Graph) -> Graph:
    """The graph with all passes applied; its outputs are the same codes for every input.

    Parameters
    ----------
    graph : Graph
        What :func:`firmware_gen.frontend.lower.lower` gives.

    Returns
    -------
    Graph
        Integers only.

    Raises
    ------
    CheckFailed
        A pass left a graph that is not sound (a defect of the pass), or float operations are left.
    """
    for _ in range(MAX_ROUNDS):
        settled = _run(PASSES, graph)
        after = settled if settled is not graph else _run(LAST, graph)
        if after is graph:
            break
        graph = after
    verify(graph, integers_only=True)
    return graph


def _run(passes: tuple[Pass, ...], graph: Graph) -> Graph:
    """One after the other; the same graph where none finds anything to do."""
    for rewrite in passes:
        after = rewrite(graph)
        if after is not graph:
            verify(after)
        graph = after
    return graph
