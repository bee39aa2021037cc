"""The model as it is deployed, drawn: a picture for each group of layers, a box for each kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from tfser.report.layers import Layer, read_layers
from tfser.report.layout import HEIGHT, WIDTH, Edge, Layout, Place, lay_out
from tfser.report.markup import section, text

LETTER = 6.05  # width in pixels of the style sheet's monospaced letters in boxes
LETTERS = int((WIDTH - 14) / LETTER)
#: Layers of one picture: more would not fit on a printed page.
MOST_LAYERS = 24


def graph(manifest: Mapping[str, Any]) -> str:
    """Boxes and what each one reads, in groups by the layers' names."""
    found = read_layers(manifest)
    if not any(layer.inputs for layer in found):
        return section("Graph", missing="manifest.json has no 'graph' in its 'plan'")
    most = max([*(layer.instructions or 0 for layer in found), 1])
    pictures = "".join(_figure(found, part, title, most) for part, title in _parts(found))
    counted = " The bar at its foot is its share of the instructions, full for the largest." if most > 1 else ""
    intro = ("<p>As deployed: every box is one kernel, tinted where it has weights, and holds its operators, its "
             f"layer and the shape of its output.{counted} The rounded boxes are what comes from elsewhere.</p>")
    return section("Graph", intro, f'<div class="graph">{pictures}</div>', missing="")


def _parts(found: Sequence[Layer]) -> list[tuple[list[int], str]]:
    """Numbers of the layers of each picture, and its title."""
    parts = []
    for group, members in groupby(range(len(found)), lambda at: found[at].group):
        own = list(members)
        pieces = [own[first:first + MOST_LAYERS] for first in range(0, len(own), MOST_LAYERS)]
        for number, piece in enumerate(pieces):
            part = f" ({number + 1} of {len(pieces)})" if len(pieces) > 1 else ""
            parts.append((piece, f"{group or 'model'}{part}"))
    return parts


def _figure(found: Sequence[Layer], numbers: Sequence[int], title: str, most: int) -> str:
    layout = lay_out({at: found[at].inputs for at in numbers})
    layers = "1 layer" if len(numbers) == 1 else f"{len(numbers)} layers"
    edges = "".join(_edge(edge, layout) for edge in layout.edges)
    boxes = "".join(_box(found[at], place, most) if at in numbers else _source(found, at, place)
                    for at, place in layout.places.items())
    width, height = _number(layout.width), _number(layout.height)
    return (f'<figure><figcaption><b>{text(title)}</b> <span class="soft">{layers}</span></figcaption>'
            f'<div class="scroll"><svg role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f"<title>{text(title)}: {layers}</title>{edges}{boxes}</svg></div></figure>")


def _box(layer: Layer, place: Place, most: int) -> str:
    figures = [f"{layer.instructions:,} instructions"] if layer.instructions is not None else []
    figures += [f"{layer.weights_bytes:,} B of weights"] if layer.weights_bytes else []
    about = "; ".join([f"{layer.name} ({layer.numbers})", f"output {layer.size}", *figures])
    left, top = place.x - WIDTH / 2, place.y
    shape = layer.size
    name = _end(layer.own_name, LETTERS - len(shape) - 1)
    share = (layer.instructions or 0) / most * (WIDTH - 2)
    return (f'<g><title>{text(about)}</title><rect class="{"layer" if layer.weights_bytes else "plain-layer"}" '
            f'x="{_number(left)}" y="{_number(top)}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
            f'<rect class="fill" x="{_number(left + 1)}" y="{_number(top + HEIGHT - 4)}" width="{_number(share)}" '
            f'height="3"/><text class="kind" x="{_number(left + 7)}" y="{_number(top + 14)}">{text(_kinds(layer))}'
            f'</text><text x="{_number(left + 7)}" y="{_number(top + 28)}">{text(name)}</text>'
            f'<text text-anchor="end" x="{_number(left + WIDTH - 7)}" y="{_number(top + 28)}">{text(shape)}</text></g>')


def _source(found: Sequence[Layer], number: int, place: Place) -> str:
    name = found[number].name if number >= 0 else "model input"
    left, top = place.x - WIDTH / 2, place.y + 10
    return (f'<g><title>{text(f"from {name}")}</title><rect class="source" x="{_number(left)}" y="{_number(top)}" '
            f'width="{WIDTH}" height="{HEIGHT - 16}" rx="11"/><text text-anchor="middle" x="{_number(place.x)}" '
            f'y="{_number(top + 15)}">{text(_end(name, LETTERS))}</text></g>')


def _edge(edge: Edge, layout: Layout) -> str:
    """A curve between neighbours, or out to the lane, down and back, with a point at the end."""
    start, end = layout.places[edge.start], layout.places[edge.end]
    low = start.y + HEIGHT - (6 if start.row == 0 else 0)
    if edge.lane is None:
        middle = (low + end.y) / 2
        path = (f"M{_number(start.x)} {_number(low)}C{_number(start.x)} {_number(middle)} {_number(end.x)} "
                f"{_number(middle)} {_number(end.x)} {_number(end.y - 5)}")
        point = f"M{_number(end.x)} {_number(end.y)}l-3.5 -6h7z"
    else:
        right, begin, stop = end.x + WIDTH / 2, start.y + HEIGHT / 2, end.y + HEIGHT / 2
        path = (f"M{_number(start.x + WIDTH / 2)} {_number(begin)}H{_number(edge.lane - 6)}q6 0 6 6"
                f"V{_number(stop - 6)}q0 6 -6 6H{_number(right + 5)}")
        point = f"M{_number(right)} {_number(stop)}l6 -3.5v7z"
    return f'<path class="edge" d="{path}"/><path class="point" d="{point}"/>'


def _kinds(layer: Layer) -> str:
    """All operators, or the first and how many more."""
    names = " ".join(layer.kinds)
    if len(names) <= LETTERS:
        return names
    more = f" +{len(layer.kinds) - 1}" if len(layer.kinds) > 1 else ""
    return layer.kinds[0][:LETTERS - len(more)] + more


def _end(name: str, letters: int) -> str:
    """The end of a name, which tells layers apart."""
    return name if len(name) <= letters else f"…{name[len(name) - max(letters - 1, 1):]}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
