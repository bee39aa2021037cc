"""Memory over time as SVG: well formed, complete, and nothing outside of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from planned import M7, SHARED, file_graph, planned, random_graph

from firmware_gen.plan.picture import memory_picture
from firmware_gen.plan.program import Program

SVG = "{http://www.w3.org/2000/svg}"


def boxes(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The rectangles of the buffers, without those of the legend."""
    return [group.find(f"{SVG}rect") for group in root.findall(f"{SVG}g") if group.find(f"{SVG}rect") is not None]


def programs(shared_models: Path) -> list[Program]:
    graphs = [*(file_graph(shared_models / f"{name}.tflite") for name in SHARED), *map(random_graph, range(6))]
    return [planned(graph, M7) for graph in graphs]


def test_every_buffer_is_a_box_inside_of_the_picture(shared_models: Path) -> None:
    for program in programs(shared_models):
        text = memory_picture(program)
        root = ElementTree.fromstring(text)
        width, height = (float(root.attrib[name]) for name in ("width", "height"))
        assert root.attrib["viewBox"].split() == ["0", "0", root.attrib["width"], root.attrib["height"]]
        found = boxes(root)
        assert len(found) == len(program.buffers)
        for box in found:
            x, y, wide, tall = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
            assert 0 < x < x + wide < width
            assert 0 < y <= y + tall < height
        assert memory_picture(program) == text


def test_heights_are_bytes(shared_models: Path) -> None:
    program = planned(file_graph(shared_models / "kws_ref_model.tflite"), M7)
    found = sorted(float(box.attrib["height"]) for box in boxes(ElementTree.fromstring(memory_picture(program))))
    sizes = sorted(buffer.size for buffer in program.buffers.values())
    assert found == pytest.approx([420 * size / program.arena_bytes for size in sizes], abs=0.1)


def test_arena_and_bound_are_named(shared_models: Path) -> None:
    program = planned(file_graph(shared_models / "conformer_bn.tflite"), M7)
    text = memory_picture(program)
    assert f"arena {program.arena_bytes:,} B" in text
    assert f"lower bound {program.lower_bound_bytes:,} B" in text
    assert f"<title>Memory over time: {program.arena_bytes:,} bytes, {len(program.steps)} steps</title>" in text
    assert "BATCH_MATMUL + SO" in text


def test_names_from_the_file_are_text_and_not_markup() -> None:
    program = planned(random_graph(1), M7)
    hostile = "</text><script>alert('1')</script>&\x00\x07\ud800\u202e\"/x"
    buffers = {i: replace(buffer, what=hostile) for i, buffer in program.buffers.items()}
    steps = tuple(replace(step, nodes=tuple(replace(node, origin=(hostile,)) for node in step.nodes))
                  for step in program.steps)
    text = memory_picture(replace(program, buffers=buffers, steps=steps))
    text.encode()
    root = ElementTree.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in text
    assert "\u202e" not in text
    assert len(boxes(root)) == len(buffers)
