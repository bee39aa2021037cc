"""DEQUANTIZE, float functions of one number, QUANTIZE -> one Lookup.

An int8 tensor has 256 codes, so whatever is computed of one number between two of them is a
table; float arithmetic happens here and never on the device.
"""

from __future__ import annotations

import numpy as np

from firmware_gen.ir.graph import Graph, Node
from firmware_gen.ir.ops.float_island import Dequantize, FloatUnary, Quantize
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.passes.rewriting import Change, everywhere, merged_origin


def float_islands(graph: Graph) -> Graph:
    """Make a Lookup of every Quantize that a chain of float functions leads to."""
    return everywhere(graph, _island)


def _island(graph: Graph, node: Node) -> Change | None:
    if not isinstance(node.op, Quantize):
        return None
    chain = [node]
    while not isinstance(chain[-1].op, Dequantize):
        source = graph.producer(chain[-1].inputs[0])
        if source is None or not isinstance(source.op, Dequantize | FloatUnary):
            return None
        chain.append(source)
    codes = np.arange(-128, 128).astype(np.int8)
    for link in reversed(chain):
        (codes,) = link.op.evaluate(codes)
    what = " ".join(type(link.op).__name__ if not isinstance(link.op, FloatUnary) else link.op.kind
                    for link in reversed(chain)).upper()
    origin = merged_origin(*reversed(chain))
    return Change({node: (Node(Lookup(codes, what), chain[-1].inputs, node.outputs, origin),)})
