"""Which nodes run together, and what exists for a few rows only."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from planned import (
    FORMS,
    HALF,
    LITTLE,
    M7,
    TABLE,
    assert_runs,
    dense,
    file_graph,
    made_graph,
    operators,
    programs,
    random_graph,
    weights,
    without_scratch,
)

from firmware_gen.ir.graph import Graph
from firmware_gen.ir.ops.base import Clamp
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Reshape
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.planner import make_program
from firmware_gen.plan.program import Program
from firmware_gen.plan.scratch import node_scratch

ADD = Binary("add", 2, -3, 8, HALF, HALF, HALF, Clamp(0))
LARGER = Binary("maximum", 0, 0, 0, HALF, HALF, HALF, Clamp(0))


def feed_forward(hidden: int = 64, rows: int = 22) -> Graph:
    """Two dense layers and the residual."""
    return made_graph((1, rows, 8), (dense(hidden, (1, rows, 8)), (0, -1)), (dense(8, (1, rows, hidden)), (1, -2)),
                      (ADD, (0, 2)), constants=(weights(hidden, 8), weights(8, hidden, 1)))


def attention(heads: int = 3, rows: int = 18, width: int = 4) -> Graph:
    """Softmax of a tensor's products with itself."""
    shape = (1, heads, rows, width)
    return made_graph(shape, (Lookup(TABLE, "QUERY"), (0,)), (MatMul(False, True, 1, 2, LITTLE, Clamp(0)), (1, 0)),
                      (Softmax(1 << 30, 23, -248), (2,)), (MatMul(False, False, -128, 2, LITTLE, Clamp(0)), (3, 0)))


@pytest.mark.parametrize("core", FORMS)
def test_a_hidden_layer_exists_for_four_rows(core: object) -> None:
    graph = feed_forward()
    program = make_program(graph, core)
    assert [operators(step) for step in program.steps] == [["Dense", "Dense", "Binary"]]
    (step,) = program.steps
    assert (step.outer, step.rows, step.block) == ((), 22, 4)
    assert program.buffers[program.placements[1].buffer].size == 4 * 64
    assert step.blocked == {1, 2}
    assert_runs(graph, program)


def test_attention_never_holds_all_scores() -> None:
    graph = attention()
    program = make_program(graph, M7)
    assert operators(program.steps[-1])[-3:] == ["MatMul", "Softmax", "MatMul"]
    step = program.steps[-1]
    assert (step.outer, step.rows, step.block) == ((3,), 18, 4)
    assert program.buffers[program.placements[2].buffer].size == 4 * 18
    assert_runs(graph, program)


@pytest.mark.parametrize("name", ["conformer_bn", "conformer_ln"])
def test_conformers_hold_neither_scores_nor_hidden_layers(name: str, shared_models: Path) -> None:
    program = make_program(file_graph(shared_models / f"{name}.tflite"), M7)
    assert sum(operators(step) == ["MatMul", "Softmax", "MatMul"] for step in program.steps) == 2
    assert not any("Transpose" in operators(step) or "Reshape" in operators(step) for step in program.steps)
    largest = sorted((buffer.size for buffer in program.buffers.values()), reverse=True)
    assert largest[:2] == [4000, 1600]  # the model's input; all else is T x d or less


def test_scores_of_short_windows_are_whole_where_that_takes_less() -> None:
    """They take less than the query and the key, which they make useless before the value is computed."""
    shape, windows = (1, 96, 32), (24, 4, 32)
    graph = made_graph(
        shape, (dense(32, shape), (0, -1)), (dense(32, shape), (0, -2)), (Reshape(windows), (1,)),
        (Reshape(windows), (2,)), (MatMul(False, True, 1, 2, LITTLE, Clamp(0)), (3, 4)),
        (Softmax(1 << 30, 23, -248), (5,)), (dense(32, shape), (0, -3)), (Reshape(windows), (7,)),
        (MatMul(False, False, -128, 2, LITTLE, Clamp(0)), (6, 8)), (Reshape(shape), (9,)), (ADD, (10, 0)),
        constants=[weights(32, 32, i) for i in range(3)])
    program = make_program(graph, M7)
    assert program.buffers[program.placements[5].buffer].size == 24 * 4 * 4
    assert without_scratch(program) < 3.5 * 96 * 32  # input, query, key; then input, value, scores; no four of 96 x 32
    assert_runs(graph, program)


def test_a_result_that_is_read_elsewhere_too_is_whole() -> None:
    shape = (1, 22, 8)
    graph = made_graph(shape, (dense(8, shape), (0, -1)), (Lookup(TABLE, "F"), (1,)),
                       (MatMul(False, True, 0, 0, LITTLE, Clamp(0)), (1, 1)), (dense(8, (1, 22, 22)), (3, -2)),
                       (ADD, (4, 2)), constants=(weights(8, 8), weights(8, 22)))
    program = make_program(graph, M7)
    assert program.buffers[program.placements[1].buffer].size >= 22 * 8
    assert_runs(graph, program)


def test_a_transposed_first_operand_is_moved_in_front() -> None:
    """Its depth is the second-to-last dimension: scratch must count that one."""
    graph = made_graph((2, 5, 9), (MatMul(True, False, 0, 0, LITTLE, Clamp(0)), (0, 0)))
    for core in FORMS:
        program = make_program(graph, core)
        (at,) = (node for step in program.steps for node in step.nodes if isinstance(node.op, MatMul))
        assert not at.op.transpose_a
        assert program.graph.values[at.inputs[0]].shape == (2, 9, 5)
        need = node_scratch(program.graph, at, 9, core)
        assert need.packed >= 5 * 9
        assert_runs(graph, program)


def test_the_rows_of_a_product_are_no_outer_loop() -> None:
    """Four rows make no blocks; one row at a time, the matrix would be packed again after outputs had come over it."""
    graph = made_graph((1, 4, 20), (Lookup(TABLE, "ABS"), (0,)), (MatMul(False, True, 1, 1, LITTLE, Clamp(0)), (1, 1)),
                       (dense(3, (1, 4, 4)), (2, -1)), (dense(4, (1, 4, 3)), (3, -2)), (LARGER, (2, 4)),
                       constants=(weights(3, 4), weights(4, 3, 1)))
    for program in programs(graph):
        assert all(step.outer == () for step in program.steps for node in step.nodes if isinstance(node.op, MatMul))
        assert np.unique(assert_runs(graph, program)).size > 4


def test_one_constant_matrix_of_several_is_packed_when_its_turn_comes() -> None:
    matrix = np.random.default_rng(3).integers(-128, 128, (3, 8, 5)).astype(np.int8)
    graph = made_graph((3, 6, 8), (MatMul(False, False, 1, -2, LITTLE, Clamp(3)), (0, -1)), constants=(matrix,))
    for program in programs(graph):
        (step,) = program.steps
        assert (step.outer, step.rows) == ((3,), 6)
        assert list(step.packed) == [0]
        assert np.unique(assert_runs(graph, program)).size > 8


@pytest.mark.parametrize("seed", range(0, 30, 2))
def test_every_node_runs_once_after_what_it_reads(seed: int) -> None:
    for program in programs(random_graph(seed)):
        order = {id(node): number for number, step in enumerate(program.steps) for node in step.nodes}
        assert len(order) == sum(len(step.nodes) for step in program.steps)
        ready = dict.fromkeys(program.graph.inputs, 0)
        for node in program.graph.nodes:
            before = max((ready.get(i, 0) for i in node.inputs), default=0)
            ready[node.output] = order.get(id(node), before)
            assert ready[node.output] >= before
        _assert_domains(program)


def _assert_domains(program: Program) -> None:
    for number, step in enumerate(program.steps):
        assert 1 <= step.block <= step.rows
        assert len(step.nodes) > 1 or step.block == step.rows
        for node in step.nodes:
            elements = program.graph.values[node.output].elements
            assert elements % (math.prod(step.outer) * step.rows) == 0
        for value in step.blocked:
            buffer = program.buffers[program.placements[value].buffer]
            assert buffer.first == buffer.last == number
            assert buffer.nodes is not None
