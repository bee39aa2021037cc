"""The overlap check agrees with sound plans and refuses broken ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import program_runner
import pytest
from planned import M7, codes, file_graph, moved, programs, random_graph

from firmware_gen.errors import CheckFailed
from firmware_gen.ir.graph import Graph
from firmware_gen.plan.check import check
from firmware_gen.plan.planner import make_program
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
def test_one_byte_less_between_an_input_and_its_output_is_refused(name: str, shared_models: Path) -> None:
    """Wherever a new buffer overlaps a dying one, four bytes further in are too many at some of them."""
    program = make_program(file_graph(shared_models / f"{name}.tflite"), M7)
    refused = 0
    for buffer in program.buffers.values():
        for shift in (-4, 4):
            offset = buffer.offset + shift * buffer.alignment // 4
            refused += offset >= 0 and refuses(moved(program, buffer.id, offset))
    assert refused > len(program.buffers) / 2


def test_steps_in_another_order_are_refused(shared_models: Path) -> None:
    program = make_program(file_graph(shared_models / "conformer_bn.tflite"), M7)
    refused = [refuses(replace(program, steps=_swapped(program.steps, number)))
               for number in range(len(program.steps) - 1)]
    # Query, key and value of a block do not need each other, but their places do.
    assert sum(refused) >= len(refused) - 4


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
