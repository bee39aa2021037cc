"""Planned programs give what their graphs give, on an arena in which every byte that is not needed is noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planned import FORMS, M7, SHARED, assert_runs, file_graph, planned, programs, random_graph

from firmware_gen.plan.planner import make_simple_program


@pytest.mark.parametrize("name", SHARED)
def test_shared_models_run(name: str, shared_models: Path) -> None:
    graph = file_graph(shared_models / f"{name}.tflite")
    for program in programs(graph):
        assert np.unique(assert_runs(graph, program)).size > 1


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_run(seed: int) -> None:
    graph = random_graph(seed)
    for program in programs(graph):
        assert_runs(graph, program, seed)


@pytest.mark.parametrize("seed", range(0, 30, 4))
def test_simple_programs_run_in_no_less_memory(seed: int) -> None:
    graph = random_graph(seed)
    for core in FORMS:
        simple = make_simple_program(graph, core)
        assert_runs(graph, simple, seed)
        assert planned(graph, core).arena_bytes <= simple.arena_bytes


def test_blocks_grow_where_that_takes_no_more_arena(shared_models: Path) -> None:
    program = planned(file_graph(shared_models / "conformer_bn.tflite"), M7)
    blocks = [step.block for step in program.steps if step.block < step.rows]
    assert set(blocks) <= {4, 8, 16}
    assert max(blocks) > 4
    graph = random_graph(21)
    assert_runs(graph, planned(graph, M7))


@pytest.mark.parametrize(("name", "most"), [
    ("conformer_bn", 8_000), ("conformer_ln", 8_000), ("kws_ref_model", 10_000),
    ("pretrainedResnet_quant", 35_000), ("micro_speech_quantized", 5_200)])
def test_arenas_of_the_shared_models(name: str, most: int, shared_models: Path) -> None:
    program = planned(file_graph(shared_models / f"{name}.tflite"), M7)
    assert program.arena_bytes <= most
    assert program.arena_bytes <= 1.08 * program.lower_bound_bytes
