"""The plan as data, whether it fits, and the same plan in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from planned import M7, SHARED, file_graph, planned, programs, random_graph

from firmware_gen.errors import CheckFailed
from firmware_gen.plan.document import plan_document
from firmware_gen.plan.fits import require_fit

TESTS = Path(__file__).resolve().parents[1]
DIGEST = """
import hashlib, json, sys
from planned import FORMS, file_graph, random_graph
from pathlib import Path
from firmware_gen.plan.document import plan_document
from firmware_gen.plan.picture import memory_picture
from firmware_gen.plan.planner import make_program
found = hashlib.sha256()
for graph in [*map(random_graph, range(3)), *(file_graph(Path(name)) for name in sys.argv[1:])]:
    for core in FORMS:
        program = make_program(graph, core)
        found.update(json.dumps(plan_document(program)).encode())
        found.update(repr(sorted(program.placements.items())).encode())
        found.update(memory_picture(program).encode())
print(found.hexdigest())
"""


@pytest.mark.parametrize("name", SHARED)
def test_the_document_tells_the_whole_plan(name: str, shared_models: Path) -> None:
    program = planned(file_graph(shared_models / f"{name}.tflite"), M7)
    document = json.loads(json.dumps(plan_document(program)))
    assert document == plan_document(program)
    assert document["arena_bytes"] == max(b["offset"] + b["bytes"] for b in document["buffers"])
    assert 0 < document["lower_bound_bytes"] <= document["arena_bytes"]
    assert len(document["steps"]) == len(program.steps)
    kinds = [buffer["kind"] for buffer in document["buffers"]]
    assert kinds.count("input") == kinds.count("output") == 1
    assert set(kinds) <= {"input", "output", "value", "scratch", "packed"}
    assert document["buffers"][kinds.index("input")]["first_step"] == 0
    assert document["buffers"][kinds.index("output")]["last_step"] == len(program.steps) - 1
    used = [step["live_bytes"] for step in document["steps"]]
    assert max(used) == used[document["peak_step"]] <= document["arena_bytes"]
    for step in document["steps"]:
        assert step["name"]
        assert step["parts"]
        assert 1 <= step["block"] <= step["rows"]


def test_live_bytes_count_what_overlaps_once() -> None:
    for program in (program for seed in range(8) for program in programs(random_graph(seed))):
        document = plan_document(program)
        for number, step in enumerate(document["steps"]):
            taken = {byte for b in document["buffers"] if b["first_step"] <= number <= b["last_step"]
                     for byte in range(b["offset"], b["offset"] + b["bytes"])}
            assert step["live_bytes"] == len(taken)


def test_a_model_that_does_not_fit_is_refused_with_its_largest_tensors(shared_models: Path) -> None:
    program = planned(file_graph(shared_models / "kws_ref_model.tflite"), M7)
    require_fit(program, program.arena_bytes, name="kws", where="the board")
    with pytest.raises(CheckFailed, match="FG-PLAN-04") as raised:
        require_fit(program, program.arena_bytes - 100, name="kws", where="the board")
    error = raised.value
    assert error.exit_code == 1
    number = plan_document(program)["peak_step"]
    live = [b for b in program.buffers.values() if b.first <= number <= b.last]
    largest = max(live, key=lambda buffer: buffer.size)
    for part in (f"{program.arena_bytes} B", "100 B more than the board has", f"step {number} (operator",
                 f"{largest.size} B", largest.what.split(";")[0]):
        assert part in error.received
    assert error.expected == f"at most {program.arena_bytes - 100} B"
    assert error.fix


def test_the_plan_is_the_same_in_every_process(shared_models: Path) -> None:
    digests = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(
            map(str, (TESTS.parents[1], TESTS.parent, TESTS, TESTS / "plan")))}
        found = subprocess.run(
            [sys.executable, "-c", DIGEST, str(shared_models / "conformer_bn.tflite")], env=environment, check=True,
            capture_output=True, text=True)
        digests.add(found.stdout)
    (digest,) = digests
    assert len(digest.strip()) == 64


@pytest.mark.parametrize("name", SHARED)
def test_the_graph_leads_from_the_input_to_every_part(name: str, shared_models: Path) -> None:
    program = planned(file_graph(shared_models / f"{name}.tflite"), M7)
    graph = plan_document(program)["graph"]
    parts = [node for step in program.steps for node in step.nodes]
    assert len(graph) == len(parts)
    assert any(-1 in entry["inputs"] for entry in graph)
    for number, (entry, node) in enumerate(zip(graph, parts, strict=True)):
        value = program.graph.values[node.outputs[0]]
        assert entry["shape"] == list(value.shape)
        assert entry["layer"] == value.name.split(";")[0]
        assert entry["inputs"] == sorted(set(entry["inputs"]))
        assert all(-1 <= read < number for read in entry["inputs"])
    read = {number for entry in graph for number in entry["inputs"]}
    assert read >= set(range(len(parts) - 1))  # all but the last part are read by another


def test_the_graph_sees_through_views() -> None:
    """A part that reads a view reads the part that computed what is viewed."""
    for program in (program for seed in range(8) for program in programs(random_graph(seed))):
        parts = [node for step in program.steps for node in step.nodes]
        producers = {value: number for number, node in enumerate(parts) for value in node.outputs}
        for entry, node in zip(plan_document(program)["graph"], parts, strict=True):
            direct = {producers[i] for i in node.inputs if i in producers}
            assert direct <= set(entry["inputs"])
            assert len(entry["inputs"]) <= len([i for i in node.inputs if not program.graph.values[i].is_constant])
