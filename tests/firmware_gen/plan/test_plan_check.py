"""The overlap check agrees with sound plans and refuses broken ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import program_runner
import pytest
from planned import M7, codes, dense, file_graph, made_graph, moved, planned, programs, random_graph, weights

from firmware_gen.errors import CheckFailed
from firmware_gen.ir.graph import Graph
from firmware_gen.plan.check import check, is_replayable
from firmware_gen.plan.program import Program


def refuses(program: Program) -> bool:
    try:
        check(program)
    except CheckFailed as error:
        assert error.code in ("FG-PLAN-01", "FG-PLAN-02", "FG-PLAN-03")
        return True
    return False


def runs(graph: Graph, program: Program, seed: int) -> bool:
    """Whether the program still gives the graph's output."""
    x = codes(graph, seed)
    return np.array_equal(program_runner.run(program, x, seed), program_runner.evaluate(graph, x))


def mutants(program: Program, seed: int, count: int) -> list[Program]:
    """The program with a buffer moved, by a little or by much."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        buffer = program.buffers[int(rng.choice(list(program.buffers)))]
        far = 4 * int(rng.integers(-program.arena_bytes // 16, program.arena_bytes // 16 + 1))
        offset = max(0, buffer.offset + int(rng.choice([-16, -8, -4, 4, 8, 16, far])))
        found.append(moved(program, buffer.id, offset // buffer.alignment * buffer.alignment))
    return found


def test_moved_buffers_are_refused_or_change_nothing() -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    for seed in range(16):
        graph = random_graph(seed)
        for program in programs(graph):
            check(program)
            for mutant in mutants(program, seed, 10):
                seen[refuses(mutant), runs(graph, mutant, seed)] += 1
    assert seen[False, False] == 0, "a broken plan was accepted"
    assert seen[True, False] > 80, "too few plans were broken to tell"
    assert seen[False, True] > 20, "too few plans stayed sound to tell"
    # Refused although this input's output is the same: what was lost happens not to matter.
    assert seen[True, True] < seen[True, False] / 3


@pytest.mark.parametrize("name", ["conformer_bn", "kws_ref_model"])
def test_buffers_that_are_one_alignment_off_are_refused(name: str, shared_models: Path) -> None:
    """Most lie as close to others as they can."""
    program = planned(file_graph(shared_models / f"{name}.tflite"), M7)
    refused = 0
    for buffer in program.buffers.values():
        for shift in (-buffer.alignment, buffer.alignment):
            offset = buffer.offset + shift
            refused += offset >= 0 and refuses(moved(program, buffer.id, offset))
    assert refused > len(program.buffers) / 2


def test_steps_in_another_order_are_refused(shared_models: Path) -> None:
    program = planned(file_graph(shared_models / "conformer_bn.tflite"), M7)
    refused = [refuses(replace(program, steps=_swapped(program.steps, number)))
               for number in range(len(program.steps) - 1)]
    # Query, key and value of a block do not need each other, but their places do.
    assert sum(refused) >= len(refused) - 4


@pytest.mark.parametrize("shape", [(1, 1800, 1200, 3), (1, 300_000, 8)])  # by bytes, by rows
def test_what_is_too_large_to_replay_shares_no_bytes(shape: tuple[int, ...]) -> None:
    graph = made_graph(shape, (dense(4, shape), (0, -1)), (dense(shape[-1], (*shape[:-1], 4)), (1, -2)),
                       constants=(weights(4, shape[-1]), weights(shape[-1], 4)))
    program = planned(graph, M7)
    assert not is_replayable(program.graph, program.steps)
    live = [buffer for buffer in program.buffers.values() if buffer.first == 0]
    assert program.arena_bytes >= sum(buffer.size for buffer in live if buffer.nodes is None)
    given, found = program.inputs[0], program.placements[1].buffer
    for buffer, other in ((given, found), (found, given)):
        with pytest.raises(CheckFailed, match="FG-PLAN-05"):
            check(moved(program, buffer, program.buffers[other].offset))


def _swapped(steps: tuple, number: int) -> tuple:
    return (*steps[:number], steps[number + 1], steps[number], *steps[number + 2:])


def test_a_buffer_outside_of_the_arena_is_refused() -> None:
    program = programs(random_graph(0))[0]
    first = program.buffers[0]
    for buffer in (replace(first, offset=-4), replace(first, offset=program.arena_bytes - first.size + 4),
                   replace(first, offset=first.offset + 1)):
        with pytest.raises(CheckFailed, match="FG-PLAN-01") as raised:
            check(replace(program, buffers={**program.buffers, 0: buffer}))
        assert raised.value.exit_code == 1


def test_a_value_that_leaves_its_buffer_is_refused() -> None:
    program = programs(random_graph(0))[0]
    value = program.graph.outputs[0]
    place = replace(program.placements[value], offset=4)
    with pytest.raises(CheckFailed, match=r"FG-PLAN-0[23]"):
        check(replace(program, placements={**program.placements, value: place}))
