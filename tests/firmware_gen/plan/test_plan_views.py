"""Movement without copies, where the readers and writers can take the strides."""

from __future__ import annotations

import pytest
from planned import FORMS, M7, TABLE, assert_runs, dense, made_graph, operators, programs, random_graph, weights

from firmware_gen.emit.firmware import emit_model
from firmware_gen.ir.graph import Graph
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.plan.planner import make_program
from firmware_gen.plan.program import Program
from firmware_gen.plan.strides import dense as packed
from firmware_gen.plan.views import find_views

LOOKUP, OTHER = Lookup(TABLE, "F"), Lookup(TABLE[::-1].copy(), "G")


def copies(program: Program) -> list[str]:
    moves = (Concatenate, Gather, Pad, Reshape, Slice, Transpose)
    return [type(node.op).__name__ for step in program.steps for node in step.nodes if isinstance(node.op, moves)]


def between(*ops: tuple[object, tuple[int, ...]], shape: tuple[int, ...]) -> Graph:
    """Operations between two tables, so that they touch neither end of the model."""
    last = len(ops) + 1
    return made_graph(shape, (LOOKUP, (0,)), *ops, (OTHER, (last,)))


def test_heads_are_split_and_joined_by_strides() -> None:
    shape = (1, 9, 12)
    graph = made_graph(
        shape, (dense(12, shape), (0, -1)), (Reshape((1, 9, 3, 4)), (1,)), (Transpose((0, 2, 1, 3)), (2,)),
        (Softmax(1 << 30, 23, -248), (3,)), (Transpose((0, 2, 1, 3)), (4,)), (Reshape((1, 9, 12)), (5,)),
        (dense(12, shape), (6, -1)), constants=(weights(12, 12),))
    for program in programs(graph):
        assert copies(program) == []
        assert program.placements[3].strides == (0, 4, 12, 1)
        assert_runs(graph, program)


def test_slices_are_parts_of_what_they_come_from() -> None:
    half = (1, 7, 4)
    graph = made_graph((1, 7, 8), (LOOKUP, (0,)), (Slice((0, 0, 0), (1, 1, 1), half), (1,)),
                       (Slice((0, 0, 4), (1, 1, 1), half), (1,)), (Softmax(1 << 30, 23, -248), (2,)),
                       (Softmax(1 << 30, 23, -248), (3,)), (Concatenate(2), (4, 5)), (OTHER, (6,)))
    program = make_program(graph, M7)
    assert copies(program) == []
    assert (program.placements[3].offset, program.placements[3].strides) == (4, (0, 8, 1))
    assert (program.placements[5].offset, program.placements[5].strides) == (4, (0, 8, 1))
    assert_runs(graph, program)


@pytest.mark.parametrize(("op", "shape"), [
    (Transpose((0, 2, 1)), (1, 6, 5)), (Slice((0, 5, 0), (1, -1, 1), (1, 6, 5)), (1, 6, 5)),
    (Slice((0, 0, 1), (1, 2, 2), (1, 3, 2)), (1, 6, 5)), (Reshape((5, 6)), (1, 6, 5))])
def test_tables_read_any_strides(op: object, shape: tuple[int, ...]) -> None:
    graph = between((op, (1,)), shape=shape)
    for program in programs(graph):
        assert copies(program) == []
        assert_runs(graph, program)


def test_a_reshape_that_strides_cannot_do_stays_a_copy() -> None:
    shape = (1, 6, 5)
    graph = made_graph(shape, (dense(5, shape), (0, -1)), (Transpose((0, 2, 1)), (1,)), (Reshape((1, 3, 10)), (2,)),
                       (Softmax(1 << 30, 23, -248), (3,)), constants=(weights(5, 5),))
    for program in programs(graph):
        assert len(copies(program)) == 1
        assert_runs(graph, program)


@pytest.mark.parametrize(("op", "inputs"), [
    (Concatenate(1), (1, 1)), (Pad((0, 1, 0), (0, 2, 3), -7), (1,)), (Gather(1, (4, 0, 0), (3,)), (1,))])
def test_what_needs_elements_twice_or_new_is_a_copy(op: object, inputs: tuple[int, ...]) -> None:
    graph = between((op, inputs), shape=(1, 6, 5))
    for program in programs(graph):
        assert copies(program) == [type(op).__name__]
        assert_runs(graph, program)


def test_softmax_needs_rows_side_by_side() -> None:
    shape = (1, 6, 5)
    graph = made_graph(shape, (dense(5, shape), (0, -1)), (Transpose((0, 2, 1)), (1,)),
                       (Softmax(1 << 30, 23, -248), (2,)), (dense(5, (1, 5, 6)), (3, -2)),
                       constants=(weights(5, 5), weights(5, 6)))
    for program in programs(graph):
        assert copies(program) == ["Transpose"]
        assert_runs(graph, program)


def test_the_ends_of_the_model_fill_buffers_of_their_own() -> None:
    """Their bytes may lie outside of the arena, packed."""
    transposed = made_graph((1, 6, 5), (Transpose((0, 2, 1)), (0,)))
    sliced = made_graph((1, 6, 5), (LOOKUP, (0,)), (Slice((0, 1, 0), (1, 1, 1), (1, 4, 5)), (1,)))
    for graph in (transposed, sliced, *(random_graph(seed) for seed in range(0, 24, 2))):
        for program in programs(graph):
            assert program.inputs != program.outputs
            for value in (*program.graph.inputs, *program.graph.outputs):
                place, shape = program.placements[value], program.graph.values[value].shape
                assert (place.offset, place.strides) == (0, packed(shape))
                assert program.buffers[place.buffer].size == program.graph.values[value].byte_size


def test_an_input_that_is_the_output_is_copied() -> None:
    made = made_graph((1, 6, 5), (LOOKUP, (0,)))
    graph = made.with_nodes(())
    graph = type(graph)(made.values, (), (0,), (0,))
    for core in FORMS:
        program = make_program(graph, core)
        assert [operators(step) for step in program.steps] == [["Reshape"]]
        assert program.inputs != program.outputs
        assert_runs(graph, program)


def test_only_reshapes_are_views_in_the_simple_plan() -> None:
    graph = between((Transpose((0, 2, 1)), (1,)), (Reshape((30,)), (2,)), shape=(1, 6, 5))
    viewed = find_views(graph, only_reshapes=True).viewed
    assert viewed == {2}


def test_a_reshape_between_two_transposes_has_a_packed_side() -> None:
    """A copy counts over one shape: of two strided sides neither could take the other's."""
    turn = Transpose((1, 2, 0))
    graph = made_graph((2, 3, 4), (turn, (0,)), (Reshape((2, 4, 3)), (1,)), (turn, (2,)))
    for program in programs(graph):
        assert len(copies(program)) == 2
        assert_runs(graph, program)
        compiled = emit_model(program, M7)
        assert compiled.files["tfser_model.c"].count("tfser_copy_s8(") == len(copies(program))
