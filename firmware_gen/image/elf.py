"""Reads the sections of a 32-bit little-endian ELF file: names, addresses and sizes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_gen.errors import InputError

_MAGIC = b"\x7fELF\x01\x01"  # 32 bits, little-endian
_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_ALLOCATED = 2  # SHF_ALLOC: it takes memory on the chip


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
    if not content.startswith(_MAGIC):
        raise _unsound("it does not begin as one")
    try:
        header = _HEADER.unpack_from(content)
        table, size, count, names_index = header[6], header[11], header[12], header[13]
        if size != _SECTION.size:
            raise _unsound(f"section headers of {size} bytes")
        headers = [_SECTION.unpack_from(content, table + size * index) for index in range(count)]
        names = headers[names_index][4]
        return {_name(content, names + entry[0]): entry[5] for entry in headers if entry[2] & _ALLOCATED}
    except (struct.error, IndexError, ValueError) as error:
        raise _unsound("it is cut short") from error


def _name(content: bytes, start: int) -> str:
    return content[start:content.index(b"\0", start)].decode("ascii", "replace")


def _unsound(why: str) -> InputError:
    return InputError("FG-IMG-08", f"not an image: {why}", expected="a 32-bit little-endian ELF file",
                      fix="build the folder again")
