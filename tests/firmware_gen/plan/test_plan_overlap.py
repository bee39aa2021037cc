"""Outputs over inputs that nobody needs any more: how little of both a step takes."""

from __future__ import annotations

import numpy as np
import pytest
from planned import HALF, M7, TABLE, assert_runs, dense, made_graph, programs, weights, without_scratch

from firmware_gen.ir.graph import Graph
from firmware_gen.ir.ops.base import Clamp, Scales, Window
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Slice
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.planner import make_program

SCALES = Scales(np.full(1, 1 << 30, np.int32), np.full(1, -7, np.int8))
SAME = Window((3, 3), (1, 1), (1, 1), (1, 1), (12, 10))


def one(shape: tuple[int, ...], *given: object, constants: tuple = ()) -> Graph:
    op, *inputs = given
    return made_graph(shape, (op, (0, *inputs)), constants=constants)


@pytest.mark.parametrize("op", [Lookup(TABLE, "F"), Softmax(1 << 30, 23, -248)])
def test_tables_and_softmax_work_in_place(op: object) -> None:
    graph = one((1, 30, 10), op)
    for program in programs(graph):
        assert program.arena_bytes == 300
        assert_runs(graph, program)


def test_an_addition_writes_over_one_of_its_inputs() -> None:
    add = Binary("add", 2, -3, 8, HALF, HALF, HALF, Clamp(0))
    graph = made_graph((1, 30, 10), (Lookup(TABLE, "F"), (0,)), (Softmax(1 << 30, 23, -248), (0,)), (add, (1, 2)))
    for program in programs(graph):
        assert program.arena_bytes <= 2 * 300 + 4 * 10  # four rows of the softmax
        assert_runs(graph, program)


def test_an_element_that_is_read_by_every_row_is_kept() -> None:
    """The first row is added to all rows: it must not be written over before the last."""
    add = Binary("add", 2, -3, 8, HALF, HALF, HALF, Clamp(0))
    graph = made_graph((1, 30, 12), (Lookup(TABLE, "F"), (0,)), (Slice((0, 0, 0), (1, 1, 1), (1, 1, 12)), (1,)),
                       (add, (1, 2)))
    for program in programs(graph):
        assert_runs(graph, program)


def test_a_depthwise_convolution_works_in_place() -> None:
    kernel = np.random.default_rng(1).integers(-127, 128, (3, 3, 8)).astype(np.int8)
    graph = one((1, 12, 10, 8), DepthwiseConv2D(3, SCALES, Clamp(0), SAME, 1), -1, constants=(kernel,))
    for program in programs(graph):
        assert without_scratch(program) <= 12 * 10 * 8 + 16
        assert_runs(graph, program)


@pytest.mark.parametrize("outputs", [8, 5, 12])
def test_a_convolution_streams_over_its_input(outputs: int) -> None:
    """What has been read for the last time gives way: all but about two rows of the image and a few pixels."""
    kernel = np.random.default_rng(1).integers(-127, 128, (outputs, 3, 3, 8)).astype(np.int8)
    graph = one((1, 12, 10, 8), Conv2D(3, SCALES, Clamp(0), SAME), -1, constants=(kernel,))
    for program in programs(graph):
        assert without_scratch(program) <= 120 * max(8, outputs) + 12 * 8 + 10 * outputs + 4 * outputs + 32
        assert_runs(graph, program)


def test_a_pool_streams_over_its_input() -> None:
    window = Window((2, 2), (2, 2), (1, 1), (0, 0), (6, 5))
    graph = one((1, 12, 10, 8), Pool2D("maximum", Clamp(-128), window))
    for program in programs(graph):
        assert program.arena_bytes <= 12 * 10 * 8 + 4 * 8
        assert_runs(graph, program)


def test_a_dense_layer_keeps_four_rows_ahead() -> None:
    shape = (1, 50, 16)
    graph = made_graph(shape, (dense(16, shape), (0, -1)), constants=(weights(16, 16),))
    program = make_program(graph, M7)
    assert without_scratch(program) == 50 * 16 + 4 * 16
    assert_runs(graph, program)
