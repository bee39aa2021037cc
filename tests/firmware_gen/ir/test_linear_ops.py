"""Layers, products, pools, sums and softmax of the graph: shapes, tables, and shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_gen.ir.ops.base import Clamp, Scale, Scales, Window
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax

SCALE = Scale(1 << 30, -6)
ONE = Scales(np.array([1 << 30], np.int32), np.array([-6], np.int8))
CLAMP = Clamp(-3)
REVERSED = np.arange(-128, 128)[::-1].astype(np.int8)
WINDOW = Window((3, 2), (2, 1), (1, 2), (1, 0), (3, 4))

OPS = {
    "dense": (lambda table: Dense(5, 0, ONE, CLAMP, (2, 3, 4), table), ((2, 3, 8), (4, 8), (4,)), (2, 3, 4)),
    "conv": (lambda table: Conv2D(5, ONE, CLAMP, WINDOW, table), ((2, 5, 6, 3), (4, 3, 2, 3), (4,)), (2, 3, 4, 4)),
    "depthwise": (lambda table: DepthwiseConv2D(5, ONE, CLAMP, WINDOW, 2, table), ((2, 5, 6, 3), (3, 2, 6), (6,)),
                  (2, 3, 4, 6)),
    "matmul": (lambda table: MatMul(False, True, 5, -4, SCALE, CLAMP, table), ((2, 1, 3, 8), (4, 5, 8)), (2, 4, 3, 5)),
}
MISFITS = {
    "depth": (Dense(0, 0, ONE, CLAMP, (2, 4)), ((2, 7), (4, 8))),
    "rows": (Dense(0, 0, ONE, CLAMP, (3, 4)), ((2, 8), (4, 8))),
    "units": (Dense(0, 0, ONE, CLAMP, (2, 5)), ((2, 8), (4, 8))),
    "bias": (Dense(0, 0, ONE, CLAMP, (2, 4)), ((2, 8), (4, 8), (3,))),
    "inputs": (Dense(0, 0, ONE, CLAMP, (2, 4)), ((2, 8), (4, 8), (4,), (4,))),
    "scales": (Dense(0, 0, Scales(np.ones(3, np.int32), np.ones(3, np.int8)), CLAMP, (2, 4)), ((2, 8), (4, 8))),
    "channels": (Conv2D(0, ONE, CLAMP, WINDOW), ((2, 5, 6, 2), (4, 3, 2, 3))),
    "kernel": (Conv2D(0, ONE, CLAMP, WINDOW), ((2, 5, 6, 3), (4, 2, 3, 3))),
    "outside": (Conv2D(0, ONE, CLAMP, WINDOW), ((2, 3, 2, 3), (4, 3, 2, 3))),
    "multiplier": (DepthwiseConv2D(0, ONE, CLAMP, WINDOW, 1), ((2, 5, 6, 3), (3, 2, 6))),
    "product": (MatMul(False, False, 0, 0, SCALE, CLAMP), ((2, 3), (2, 3))),
    "batch": (MatMul(False, False, 0, 0, SCALE, CLAMP), ((2, 3, 3), (3, 3, 3))),
    "vector": (MatMul(False, False, 0, 0, SCALE, CLAMP), ((3,), (3, 3))),
    "pool rank": (Pool2D("average", CLAMP, WINDOW), ((5, 6, 3),)),
    "axis": (Reduce("sum", (2,), 0, SCALE, CLAMP, (3,)), ((3, 4),)),
    "axes twice": (Reduce("sum", (1, 1), 0, SCALE, CLAMP, (3,)), ((3, 4),)),
    "reduced shape": (Reduce("sum", (1,), 0, SCALE, CLAMP, (4,)), ((3, 4),)),
    "scalar softmax": (Softmax(1 << 30, 20, -255), ((),)),
}


def arrays(shapes, seed=0):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes[:2]]
    return [*codes, *(rng.integers(-999, 999, shape).astype(np.int32) for shape in shapes[2:])]


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("bias", [True, False])
def test_evaluate_gives_the_inferred_shape(name, bias):
    make, shapes, expected = OPS[name]
    shapes = shapes if bias else shapes[:2]
    op = make(None)
    assert op.infer(shapes) == (expected,)
    (output,) = op.evaluate(*arrays(shapes))
    assert (output.shape, output.dtype) == (expected, np.int8)
    assert np.unique(output).size > 8


@pytest.mark.parametrize("name", OPS)
def test_a_table_maps_the_clamped_codes(name):
    make, shapes, _ = OPS[name]
    inputs = arrays(shapes)
    (plain,), (mapped,) = make(None).evaluate(*inputs), make(REVERSED).evaluate(*inputs)
    assert np.array_equal(mapped, -1 - plain)


@pytest.mark.parametrize("name", MISFITS)
def test_shapes_that_do_not_fit(name):
    op, shapes = MISFITS[name]
    with pytest.raises(ValueError):  # NumPy words some of them
        op.infer(shapes)


def test_an_average_rounds_ties_away_from_zero():
    whole = Window((1, 2), (1, 1), (1, 1), (0, 0), (1, 1))
    pool = Pool2D("average", Clamp(0), whole)
    found = [int(pool.evaluate(np.array(pair, np.int8).reshape(1, 1, 2, 1))[0].item()) for pair in
             ((1, 2), (-1, -2), (0, 1), (0, -1), (3, -3))]
    assert found == [2, -2, 1, -1, 0]


def test_exp_table_ends_at_the_smallest_difference():
    op = Softmax(1 << 30, 25, -62)  # a code is 1/2
    table = op.exp_table()
    assert (table.shape, table.dtype) == ((256,), np.int32)
    assert table[255] == 2**31 - 1
    assert (table[:255 - 62] == 0).all()
    assert (table[255 - 40:] > 0).all()
    assert (np.diff(table.astype(np.int64)) >= 0).all()


def test_a_row_too_flat_for_the_reference_gives_zero_probability():
    """Above a sum of 512 the reference shifts by more bits than a word has; the exact result is below half a step."""
    (codes,) = Softmax(1 << 30, 25, -62).evaluate(np.zeros((1, 4000), np.int8))
    assert (codes == -128).all()
