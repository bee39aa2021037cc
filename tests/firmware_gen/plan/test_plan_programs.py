"""Planned programs give what their graphs give, on an arena in which every byte that is not needed is noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planned import FORMS, M7, SHARED, assert_runs, file_graph, programs, random_graph

from firmware_gen.plan.planner import make_program, make_simple_program


@pytest.mark.parametrize("name", SHARED)
def test_shared_models_run(name: str, shared_models: Path) -> None:
    graph = file_graph(shared_models / f"{name}.tflite")
    for program in programs(graph):
        assert np.unique(assert_runs(graph, program)).size > 1


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_run(seed: int) -> None:
    graph = random_graph(seed)
    for program in programs(graph):
        assert_runs(graph, program, seed)


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_simple_programs_run_in_no_less_memory(seed: int) -> None:
    graph = random_graph(seed)
    for core in FORMS:
        simple = make_simple_program(graph, core)
        assert_runs(graph, simple, seed)
        assert make_program(graph, core).arena_bytes <= simple.arena_bytes


@pytest.mark.parametrize(("name", "most"), [
    ("conformer_bn", 8_000), ("conformer_ln", 8_000), ("kws_ref_model", 10_000),
    ("pretrainedResnet_quant", 35_000), ("micro_speech_quantized", 5_200)])
def test_arenas_of_the_shared_models(name: str, most: int, shared_models: Path) -> None:
    program = make_program(file_graph(shared_models / f"{name}.tflite"), M7)
    assert program.arena_bytes <= most
    assert program.arena_bytes <= 1.05 * program.lower_bound_bytes
