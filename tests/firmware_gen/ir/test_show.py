"""Graphs as text."""

from __future__ import annotations

import numpy as np

from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Scale, Scales, Window
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.show import count_nodes, show

ONE = Scales(np.array([1 << 30], np.int32), np.array([-6], np.int8))
HALF = Scale(1 << 30, 0)
TABLE = np.arange(-128, 128).astype(np.int8)
SUM = Binary("add", 0, 0, 20, HALF, HALF, HALF, Clamp(0))
EXPECTED = """\
in   %0 [1,4,4,3]
%3 [1,2,2,8] = Conv2D(%0 [1,4,4,3], const1 [8,2,2,3], const2 [8] int32)  (clamp -9..127, window 2x2 / 2x1, table)
    # operator 0 CONV_2D; operator 1 TANH
%5 [1,2,2,8] = Dense(%3 [1,2,2,8], const4 [8,8])
%6 [1,2,2,8] = Elementwise(%3 [1,2,2,8], %5 [1,2,2,8]) { t0 = add(#0, #1); t1 = TANH(t0) }
%7 [1,2,2,8] = RELU(%6 [1,2,2,8])
%8 [1,2,2,2] = MatMul(%7 [1,2,2,8], %5 [1,2,2,8])  (transpose_b)
%9 [1,2,2,2] = add(%8 [1,2,2,2], %8 [1,2,2,2])  (kind add)
out  %9 [1,2,2,2]
"""


def made() -> Graph:
    shapes = {0: (1, 4, 4, 3), 3: (1, 2, 2, 8), 5: (1, 2, 2, 8), 6: (1, 2, 2, 8), 7: (1, 2, 2, 8), 8: (1, 2, 2, 2),
              9: (1, 2, 2, 2)}
    values = {i: Value(i, f"v{i}", shape) for i, shape in shapes.items()}
    for i, data in ((1, np.ones((8, 2, 2, 3), np.int8)), (2, np.ones(8, np.int32)), (4, np.ones((8, 8), np.int8))):
        values[i] = Value(i, f"c{i}", data.shape, str(data.dtype), data=data)
    window = Window((2, 2), (2, 1), (1, 1), (0, 0), (2, 2))
    loop = Elementwise((Step(SUM, (0, 1)), Step(Lookup(TABLE, "TANH"), (-1,))))
    nodes = (Node(Conv2D(0, ONE, Clamp(0, -9), window, TABLE), (0, 1, 2), (3,), ("operator 0 CONV_2D",
                                                                                "operator 1 TANH")),
             Node(Dense(0, 0, ONE, Clamp(0), (1, 2, 2, 8)), (3, 4), (5,)), Node(loop, (3, 5), (6,)),
             Node(Lookup(TABLE, "RELU"), (6,), (7,)), Node(MatMul(False, True, 0, 0, HALF, Clamp(0)), (7, 5), (8,)),
             Node(SUM, (8, 8), (9,)))
    return Graph(values, nodes, (0,), (9,))


def test_every_node_is_a_line():
    assert show(made(), origins=True) == EXPECTED
    assert show(made()) == "".join(line + "\n" for line in EXPECTED.splitlines() if "#" not in line or "{" in line)


def test_nodes_are_counted_by_operation():
    assert count_nodes(made()) == {"Binary": 1, "Conv2D": 1, "Dense": 1, "Elementwise": 1, "Lookup": 1, "MatMul": 1}
