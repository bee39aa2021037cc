"""Shares out an image's bytes by section, tensor, table, function and source file, and its instructions by operator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firmware_gen.frontend.model import Model, Tensor, shorten
from firmware_gen.image.elf import Section, Symbol, read_sections, read_symbols
from firmware_gen.report.build_folder import CONSTANTS_FILE, IMAGE_FILE, BuildFolder

#: What fills a section beside its symbols: alignment, merged literals, assembly of the C library.
UNNAMED = "(no symbol)"

#: The group that shares out an inference; the others share out bytes.
OPERATORS = "operators"

#: Groups that share out one figure each, and the sections that the figure counts.
SHARED_OUT = {"weights": (".weights",), "tables": (".tables",), "functions": (".text", ".rodata"),
              "sources": (".text", ".rodata")}

_ARRAY = re.compile(r"/\* (?P<comment>.*) \*/\nalignas\(\d+\) \w+ const \w+ (?P<name>\w+)\[\d+\] = \{")
_ROLE = re.compile(r"(?P<role>.*?) of operator \d+ ")
_OPERATOR = re.compile(r"\boperator (\d+) ")


@dataclass(frozen=True)
class NamedSize:
    """A tensor, function, section or file and the bytes that it takes, or an operator and its instructions."""

    name: str
    amount: int

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


def groups(folder: BuildFolder) -> dict[str, tuple[NamedSize, ...]]:
    """Everything of a build folder that is shared out, each group largest first; empty where nothing was measured.

    They are those of :func:`image_groups` and, from the profile, the instructions of an inference by operator. A step
    that does several operators counts for the last, and is named for the tensor that it makes: numbers of operators
    change with every layer that comes or goes.

    Raises
    ------
    InputError
        The image is no ELF file that :mod:`firmware_gen.image.link` made.
    """
    counts: Counter[str] = Counter()
    for name, instructions in folder.profile:
        counts[_made_by(name, folder.model)] += instructions
    return {**image_groups(folder), **({OPERATORS: _sorted(counts.items())} if counts else {})}


def image_groups(folder: BuildFolder) -> dict[str, tuple[NamedSize, ...]]:
    """The bytes of a build folder's image, each group largest first; empty without an image.

    ``flash_sections`` and ``ram_sections`` are the linker's; ``weights`` are shared out by tensor of the
    model, ``tables`` by array, ``functions`` and ``sources`` (files) are the code with its constants.
    Each of these four adds up to its figure: what has no symbol stands under its own name.

    Raises
    ------
    InputError
        The image is no ELF file that :mod:`firmware_gen.image.link` made.
    """
    image = folder.read(IMAGE_FILE)
    if image is None:
        return {}
    sections, symbols = read_sections(image), read_symbols(image)
    names = {**_array_names(folder, "tables", folder.model), **_array_names(folder, "weights", folder.model)}
    groups = {"flash_sections": _sorted((section.name, section.size) for section in sections if not section.writable),
              "ram_sections": _sorted((section.name, section.size) for section in sections if section.writable)}
    for group, parts in SHARED_OUT.items():
        groups[group] = _shared_out(sections, symbols, parts, names, by_source=group == "sources")
    return groups


def tensor_name(tensor: Tensor) -> str:
    """The converter joins the names of fused layers with ';': the first is the one that a user wrote."""
    return shorten(printable(tensor.name.split(";")[0]))


def printable(name: str) -> str:
    """A name that a terminal can take."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in name)


def _operators(text: str, model: Model) -> list[int]:
    """The operators of the model that a text names."""
    count = len(model.subgraphs[0].operators)
    return [number for number in map(int, _OPERATOR.findall(text)) if number < count]


def _made_by(step: str, model: Model) -> str:
    """``operator 5 CONV_2D, operator 6 ADD`` is what operator 6 makes."""
    graph, numbers = model.subgraphs[0], _operators(step, model)
    made = graph.operators[max(numbers)].outputs if numbers else ()
    return (tensor_name(graph.tensors[made[0]]) if len(made) else "") or shorten(printable(step))


def _shared_out(sections: Iterable[Section], symbols: Iterable[Symbol], parts: tuple[str, ...],
                names: Mapping[str, str], *, by_source: bool) -> tuple[NamedSize, ...]:
    total = sum(section.size for section in sections if section.name in parts)
    sizes: Counter[str] = Counter()
    for symbol in symbols:
        if symbol.section in parts:
            # A function that the compiler made of another (.constprop.0, .part.1) is counted with it.
            own = symbol.source or UNNAMED if by_source else names.get(symbol.name, symbol.name.split(".")[0])
            sizes[printable(own)] += symbol.size
    sizes[UNNAMED] += total - sum(sizes.values())
    return _sorted(sizes.items())


def _array_names(folder: BuildFolder, kind: str, model: Model) -> dict[str, str]:
    """What the arrays of the generated C are, by their C names: the comments before them say so."""
    content = folder.read(CONSTANTS_FILE.format(kind=kind)) or b""
    text = content.decode("utf-8", "replace")
    return {match["name"]: _meaning(match["comment"], model) for match in _ARRAY.finditer(text)}


def _meaning(comment: str, model: Model) -> str:
    """``weights of operator 5 CONV_2D, ...`` is the tensor; ``bias of ...`` and others are of that tensor.

    An array of an operator without a constant, as the table of a softmax, is of the tensor that it makes.
    """
    match, numbers = _ROLE.match(comment), _operators(comment, model)
    if not numbers:
        return shorten(printable(comment))
    graph = model.subgraphs[0]
    inputs = [graph.tensors[index] for number in numbers for index in graph.operators[number].inputs if index >= 0]
    # What reshapes or reduces has constants too: its axes, which are short.
    constant = max((tensor for tensor in inputs if tensor.data is not None), key=lambda tensor: tensor.byte_size,
                   default=None)
    name = tensor_name(constant) if constant is not None else _made_by(comment, model)
    role = match["role"] if match else ""
    if not name:
        return shorten(printable(comment))
    return name if role in ("", "weights") else f"{role} of {name}"


def _sorted(sizes: Iterable[tuple[str, int]]) -> tuple[NamedSize, ...]:
    return tuple(sorted((NamedSize(name, size) for name, size in sizes if size),
                        key=lambda size: (-size.amount, size.name)))
