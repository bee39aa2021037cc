"""What each part of the generated C computes and costs: the rows of the table of layers, the boxes of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tfser.report.charts import bar
from tfser.report.markup import code, section, table, text

#: With fewer layers a group than this, the first parts of the names do not group anything.
LAYERS_A_GROUP = 3


@dataclass(frozen=True)
class Layer:
    """A part of the generated C: one kernel, which may stand for several operators of the file.

    ``inputs`` are the numbers of the parts that it reads, -1 for the model's input. Figures are ``None`` where
    the build does not have them.
    """

    title: str
    name: str
    group: str
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    instructions: int | None
    weights_bytes: int | None
    tables_bytes: int | None

    @property
    def kinds(self) -> list[str]:
        """The operators of the file, without their numbers."""
        return [part.split(" ")[-1] for part in self.title.split(", ")]

    @property
    def numbers(self) -> str:
        """The operators' numbers in the file, and what they are."""
        return self.title.replace("operator ", "")

    @property
    def own_name(self) -> str:
        """The name without the group's."""
        return self.name.removeprefix(f"{self.group}/") if self.group else self.name

    @property
    def size(self) -> str:
        """The output's shape, without the leading dimensions of one element."""
        first = next((at for at, length in enumerate(self.shape) if length != 1), len(self.shape) - 1)
        return "×".join(map(str, self.shape[first:]))


def read_layers(manifest: Mapping[str, Any]) -> list[Layer]:
    """The parts in the order in which they run; empty for a build whose manifest has neither plan nor profile."""
    plan, profile = manifest.get("plan") or {}, manifest.get("profile") or []
    titles = [part for step in plan.get("steps", []) for part in step["parts"]] or [step["step"] for step in profile]
    graph, constants = plan.get("graph", []), (manifest.get("constants") or {}).get("parts", [])
    names = [entry["layer"] for entry in graph] if len(graph) == len(titles) else [""] * len(titles)
    groups = group_names(names)
    layers = []
    for at, title in enumerate(titles):
        node = graph[at] if len(graph) == len(titles) else {}
        sizes = constants[at] if len(constants) == len(titles) else {}
        layers.append(Layer(title, names[at], groups[at], tuple(node.get("shape", ())), tuple(node.get("inputs", ())),
                            profile[at]["instructions"] if len(profile) == len(titles) else None,
                            sizes.get("weights_bytes"), sizes.get("tables_bytes")))
    return layers


def group_names(names: Sequence[str]) -> list[str]:
    """What the first parts of the layers' paths say they belong to; '' for all where that groups nothing.

    A part that all paths share says nothing and stays in front; a layer without a path stands with the one before.
    """
    paths = [name.split("/")[:-1] for name in names]
    deep = [path for path in paths if path]
    shared = 0
    while deep and all(len(path) > shared + 1 and path[:shared + 1] == deep[0][:shared + 1] for path in deep):
        shared += 1
    groups: list[str] = []
    for path in paths:
        groups.append("/".join(path[:shared + 1]) if path else groups[-1] if groups else "")
    runs = sum(1 for _ in groupby(groups))
    return groups if runs * LAYERS_A_GROUP <= len(groups) else [""] * len(groups)


def layers(manifest: Mapping[str, Any]) -> str:
    """Instructions and bytes of each layer, with the sums of each group and of all."""
    found = read_layers(manifest)
    if not found:
        return section("Layers", missing=_reason(manifest))
    most = max([*(layer.instructions or 0 for layer in found), 1])
    total = sum(layer.instructions or 0 for layer in found)
    rows = []
    for group, members in groupby(found, lambda layer: layer.group):
        own = list(members)
        if group:
            rows.append(_sums(f"<b>{text(group)}</b>", own, total))
        rows += [_row(layer, most, total) for layer in own]
    rows.append(_sums("<b>all layers</b>", found, total))
    counted = ("Instructions are counted on an emulated chip for one input; they are not cycles." if total else
               f"Instructions were not counted: {text(_reason(manifest))}.")
    intro = (f"<p>{counted} Bytes are those of the constants in flash; what several layers share counts for the first, "
             "and alignment and the audio front end are not counted. Operators have their numbers in the file; those "
             "that one kernel computes share a line.</p>")
    return section("Layers", intro, table(("layer and its operators", "output", "", "instructions", "share",
                                           "weights B", "tables B"), rows, numbers=(3, 4, 5, 6), kind="layers"),
                   missing="")


def _row(layer: Layer, most: int, total: int) -> list[str]:
    name = f"{code(layer.own_name)} " if layer.name else ""
    return [f'{name}<small>{text(layer.numbers)}</small>', text(layer.size),
            bar((layer.instructions or 0) / most), *_figures([layer], total)]


def _sums(name: str, own: Sequence[Layer], total: int) -> list[str]:
    return [name, "", "", *(f"<b>{figure}</b>" for figure in _figures(own, total))]


def _figures(own: Sequence[Layer], total: int) -> list[str]:
    counted = [layer.instructions for layer in own if layer.instructions is not None]
    instructions = [text(sum(counted)), f"{sum(counted) / (total or 1):.1%}"] if counted else ["–", "–"]
    sizes = ([layer.weights_bytes for layer in own], [layer.tables_bytes for layer in own])
    return [*instructions, *(text(sum(size or 0 for size in kind)) if None not in kind else "–" for kind in sizes)]


def _reason(manifest: Mapping[str, Any]) -> str:
    return (manifest.get("reasons") or {}).get("instructions_per_inference", "manifest.json has no 'profile'")
