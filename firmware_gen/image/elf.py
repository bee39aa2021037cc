"""Reads the sections and symbols of a 32-bit little-endian ELF file: names, addresses and sizes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_gen.errors import InputError

_MAGIC = b"\x7fELF\x01\x01"  # 32 bits, little-endian
_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_WRITABLE, _ALLOCATED = 1, 2  # SHF_WRITE, SHF_ALLOC: it takes memory on the chip
_SYMBOL_TABLE = 2  # SHT_SYMTAB
_OBJECT, _FUNCTION, _FILE = 1, 2, 4  # STT_OBJECT, STT_FUNC, STT_FILE
_MAPPING = ("$t", "$a", "$d")  # Arm's marks of where code and data begin


@dataclass(frozen=True)
class ImageSizes:
    """Bytes of an image by what they are for.

    ``code`` holds the model's functions, their constants and what it needs of the C library;
    ``tables`` its parameters of requantisation and its lookups; ``weights`` its int8 weights and
    biases; ``static_ram`` its variables (the arena is the caller's and not among them). ``harness``
    is tfser's own program around the model. Each byte is in one of them.
    """

    code: int
    tables: int
    weights: int
    static_ram: int
    harness: int


@dataclass(frozen=True)
class Section:
    """A section that takes memory on the chip. ``index`` is its number in the file; ``writable`` ones are RAM."""

    name: str
    index: int
    address: int
    size: int
    writable: bool


@dataclass(frozen=True)
class Symbol:
    """A function or an object of a section. ``source`` is the file that defines it, or empty where none is noted."""

    name: str
    section: str
    address: int
    size: int
    source: str


#: Sections of firmware_gen/image/boards/sections.ld.
_PARTS = ((".text", ".rodata"), (".tables",), (".weights",), (".data", ".bss"), (".vectors", ".harness"))


def image_sizes(content: bytes) -> ImageSizes:
    """Sizes of an image that :mod:`firmware_gen.image.link` made.

    Raises
    ------
    InputError
        Not such an image.
    """
    sizes = section_sizes(content)
    if ".harness" not in sizes or ".text" not in sizes:
        raise InputError("FG-IMG-07", f"an ELF file with the sections {', '.join(sizes) or 'none'}",
                         expected="the sections of tfser's linker scripts", fix="build the folder again")
    return ImageSizes(*(sum(sizes.get(name, 0) for name in names) for names in _PARTS))


def section_sizes(content: bytes) -> Mapping[str, int]:
    """Bytes of each section that takes memory, in the file's order.

    Raises
    ------
    InputError
        Not a sound ELF file of a 32-bit little-endian machine.
    """
    return {section.name: section.size for section in read_sections(content)}


def read_sections(content: bytes) -> list[Section]:
    """The sections that take memory, in the file's order.

    Raises
    ------
    InputError
        Not a sound ELF file of a 32-bit little-endian machine.
    """
    try:
        headers, names = _headers(content)
        return [Section(_name(content, names + entry[0]), index, entry[3], entry[5], bool(entry[2] & _WRITABLE))
                for index, entry in enumerate(headers) if entry[2] & _ALLOCATED]
    except (struct.error, IndexError, ValueError) as error:
        raise _unsound("it is cut short") from error


def read_symbols(content: bytes) -> list[Symbol]:
    """Functions and objects that take memory, by address, none over another; empty for a stripped file.

    Of several names of one place the longest range counts, then the first name. A global symbol has
    no file in an ELF file; it is that whose mapping symbol, which is local, stands at its address.

    Raises
    ------
    InputError
        Not a sound ELF file of a 32-bit little-endian machine.
    """
    sections = {section.index: section for section in read_sections(content)}
    found: dict[tuple[int, int], tuple[int, str]] = {}
    sources: dict[tuple[int, int], str] = {}
    source = ""
    for name, value, size, kind, index in _entries(content):
        if kind == _FILE:
            source = name
        elif name.split(".")[0] in _MAPPING:
            sources[index, value] = source
        elif kind in (_OBJECT, _FUNCTION) and size and index in sections:
            start = value & ~1 if kind == _FUNCTION else value  # the lowest bit says that it is Thumb code
            found[index, start] = min(found.get((index, start), (0, name)), (-size, name))
    return _apart(sections, found, sources)


def _apart(sections: Mapping[int, Section], found: Mapping[tuple[int, int], tuple[int, str]],
           sources: Mapping[tuple[int, int], str]) -> list[Symbol]:
    """Symbols by place, each cut where the next of its section begins or the section ends."""
    places = sorted(found)
    symbols = []
    for place, after in zip(places, [*places[1:], (-1, 0)], strict=False):
        index, start = place
        section = sections[index]
        end = min(start - found[place][0], section.address + section.size, *([after[1]] if after[0] == index else []))
        if section.address <= start < end:
            symbols.append(Symbol(found[place][1], section.name, start, end - start, sources.get(place, "")))
    return symbols


def _entries(content: bytes) -> list[tuple[str, int, int, int, int]]:
    """Name, value, size, type and section number of each symbol."""
    try:
        headers, _ = _headers(content)
        entries = []
        for table in (header for header in headers if header[1] == _SYMBOL_TABLE):
            names = headers[table[6]][4]
            for name, value, size, info, _, index in _SYMBOL.iter_unpack(content[table[4]:table[4] + table[5]]):
                entries.append((_name(content, names + name), value, size, info & 15, index))
    except (struct.error, IndexError, ValueError) as error:
        raise _unsound("its symbols are cut short") from error
    return entries


def _headers(content: bytes) -> tuple[list[tuple[int, ...]], int]:
    """Section headers, and where their names begin."""
    if not content.startswith(_MAGIC):
        raise _unsound("it does not begin as one")
    header = _HEADER.unpack_from(content)
    table, size, count, names_index = header[6], header[11], header[12], header[13]
    if size != _SECTION.size:
        raise _unsound(f"section headers of {size} bytes")
    headers = [_SECTION.unpack_from(content, table + size * index) for index in range(count)]
    return headers, headers[names_index][4]


def _name(content: bytes, start: int) -> str:
    return content[start:content.index(b"\0", start)].decode("ascii", "replace")


def _unsound(why: str) -> InputError:
    return InputError("FG-IMG-08", f"not an image: {why}", expected="a 32-bit little-endian ELF file",
                      fix="build the folder again")
