"""The picture of the graph: every layer once, below what it reads, edges clear of the boxes that they pass."""

from __future__ import annotations

import copy
import random
import re
from xml.etree import ElementTree

import pytest
from documents import MANIFEST

from tfser.report.graph import LETTERS, MOST_LAYERS, graph
from tfser.report.layout import COLUMN, HEIGHT, WIDTH, lay_out

RESIDUAL = {0: [-1], 1: [0], 2: [0], 3: [0], 4: [1, 2], 5: [4, 3], 6: [0, 5]}


def pictures(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def random_reads(seed: int) -> dict[int, list[int]]:
    draw = random.Random(seed)
    return {at: sorted(draw.sample(range(-1, at), min(draw.randint(1, 3), at + 1))) for at in range(30)}


def test_branches_stand_side_by_side():
    layout = lay_out(RESIDUAL)
    rows = {box: place.row for box, place in layout.places.items()}
    assert rows == {-1: 0, 0: 1, 1: 2, 2: 2, 3: 2, 4: 3, 5: 4, 6: 5}
    assert [layout.places[box].x for box in (1, 2, 3)] == [layout.places[0].x + COLUMN * at for at in (-1, 0, 1)]


@pytest.mark.parametrize("reads", [RESIDUAL, *map(random_reads, range(20))])
def test_boxes_are_apart_inside_the_picture_and_below_what_they_read(reads):
    layout = lay_out(reads)
    boxes = [(place.x - WIDTH / 2, place.y) for place in layout.places.values()]
    for at, (x, y) in enumerate(boxes):
        assert 0 <= x <= layout.width - WIDTH
        assert 0 <= y <= layout.height - HEIGHT
        assert all(abs(x - other) >= WIDTH or abs(y - low) >= HEIGHT for other, low in boxes[:at])
    assert len(layout.edges) == sum(map(len, reads.values()))
    for edge in layout.edges:
        assert layout.places[edge.start].y < layout.places[edge.end].y


@pytest.mark.parametrize("reads", [RESIDUAL, *map(random_reads, range(20))])
def test_long_edges_pass_beside_the_boxes_and_each_other(reads):
    layout = lay_out(reads)
    spans = []
    for edge in layout.edges:
        first, last = layout.places[edge.start].row, layout.places[edge.end].row
        assert (edge.lane is None) == (last - first == 1)
        if edge.lane is None:
            continue
        assert edge.lane < layout.width
        for place in layout.places.values():
            if first <= place.row <= last:
                assert edge.lane > place.x + WIDTH / 2
        spans.append((first, last, edge.lane))
    for at, (first, last, lane) in enumerate(spans):
        assert not any(abs(lane - other) < 8 and begin < last and first < end for begin, end, other in spans[:at])


def test_nothing_to_draw():
    assert lay_out({}).places == {}


def test_every_layer_is_drawn_with_its_name_and_figures():
    page = graph(MANIFEST)
    (picture,) = pictures(page)
    titles = [title.text for title in picture.iter("title")]
    assert titles[0] == "block1: 3 layers"
    assert sorted(titles[1:]) == [
        "block1/add (3 ADD); output 25×40; 400 instructions",
        "block1/project (0 CONV_2D); output 25×40; 3,000 instructions; 900 B of weights",
        "block1/sigmoid (1 CONV_2D, 2 LOGISTIC); output 25×40; 600 instructions; 600 B of weights",
        "from model input"]
    texts = [text.text for text in picture.iter("text")]
    assert {"model input", "CONV_2D LOGISTIC", "sigmoid", "25×40"} <= set(texts)
    shares = [float(box.get("width")) for box in picture.iter("rect") if box.get("class") == "fill"]
    assert shares == pytest.approx([WIDTH - 2, (WIDTH - 2) / 5, (WIDTH - 2) / 7.5], abs=0.06)
    assert [box.get("class") for box in picture.iter("rect")].count("plain-layer") == 1  # the addition


def test_a_long_graph_is_cut_into_pictures_that_name_what_they_read():
    manifest = copy.deepcopy(MANIFEST)
    count = MOST_LAYERS * 2 + 1
    manifest["plan"]["steps"] = [{"parts": [f"operator {at} CONV_2D"]} for at in range(count)]
    manifest["plan"]["graph"] = [{"layer": f"net/{'long' * 20}{at}", "shape": [1, 8], "inputs": [at - 1]}
                                 for at in range(count)]
    found = pictures(graph(manifest))
    assert len(found) == 3
    titles = [[title.text for title in picture.iter("title")] for picture in found]
    assert titles[1][0] == "net (2 of 3): 24 layers"
    assert len(titles[2]) == 3
    assert f"from net/{'long' * 20}{count - 2}" in titles[2]
    for picture in found:
        assert all(len(text.text or "") <= LETTERS for text in picture.iter("text"))


def test_boxes_are_tinted_by_bytes_and_not_by_instructions():
    manifest = copy.deepcopy(MANIFEST)
    manifest["profile"] = None
    page = graph(manifest)
    assert "share of the instructions" not in page
    assert page.count('class="layer"') == 2
