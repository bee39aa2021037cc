"""Bounds-checked reading of a FlatBuffer whose every offset may be hostile.

A FlatBuffer is a tree of tables. A table begins with a signed offset to its vtable, which holds
for each field the field's offset in the table (0: absent, the default holds). Vectors and strings
begin with a 32-bit length. Nothing here trusts an offset or a length: each is checked before it is
followed, and the sum of all that is read is bounded, so that a small file whose tables share
their children cannot make the reader slow or large. There is no recursion.

References
----------
FlatBuffers internals, https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct

import numpy as np

from firmware_gen.errors import InputError

# Offsets are unsigned 32-bit, vtable offsets signed: 2 GiB is the format's own limit.
MAX_FILE_BYTES = 2**31 - 1
# A tree reads each byte once, but writers may store equal vectors and strings once and point to
# them often. Real files, also those packed so, stay below twice their size.
READS_PER_BYTE = 4
# What a table counts for at least, with its vtable and the offset that leads to it.
SMALLEST_TABLE = 32
# Far above any model for a microcontroller (hundreds), far below what exhausts memory.
MAX_TABLES = 100_000

_CORRUPT = "the file is damaged or was not written by a FlatBuffer writer: export it again"


class FlatBuffer:
    """The bytes of one FlatBuffer and what has been read of them.

    Parameters
    ----------
    content : bytes
        The whole file.
    identifier : bytes
        Four bytes at offset 4 that name the schema.

    Raises
    ------
    InputError
        The file is too short, too long, or of another kind.
    """

    def __init__(self, content: bytes, identifier: bytes) -> None:
        if len(content) < 12:  # root offset, identifier, the smallest vtable
            raise InputError("FG-TFL-01", f"{len(content)} bytes, too short for a FlatBuffer",
                             expected="a complete .tflite file", fix="export or copy the file again")
        if len(content) > MAX_FILE_BYTES:
            raise InputError("FG-TFL-02", f"{len(content)} bytes, too long for a FlatBuffer",
                             expected=f"at most {MAX_FILE_BYTES} bytes", fix="use a model for a microcontroller")
        if content[4:8] != identifier:
            raise InputError("FG-TFL-03", f"file identifier {content[4:8]!r}", expected=repr(identifier),
                             fix="give a TensorFlow Lite (.tflite) file")
        self.content = content
        self._budget = READS_PER_BYTE * len(content) + 1024
        self._tables = 0

    def root(self, name: str) -> Table:
        """The root table."""
        return Table(self, self.follow(0, name), name)

    def unpack(self, layout: str, position: int, where: str) -> int | float:
        """One little-endian scalar; ``layout`` is a `struct` character."""
        width = struct.calcsize(layout)
        self.check(position, width, width, where)
        return struct.unpack_from("<" + layout, self.content, position)[0]

    def follow(self, position: int, where: str) -> int:
        """The position that the unsigned 32-bit offset at ``position`` points to."""
        offset = int(self.unpack("I", position, where))
        if offset == 0:
            raise InputError("FG-TFL-04", f"{where}: an offset of zero", expected="an offset to later data",
                             fix=_CORRUPT)
        return position + offset

    def check(self, position: int, size: int, alignment: int, where: str) -> None:
        """Refuse a range that leaves the file or is not aligned."""
        if position < 0 or position + size > len(self.content):
            raise InputError("FG-TFL-05", f"{where}: {size} bytes at offset {position} of {len(self.content)}",
                             expected="data inside the file", fix=_CORRUPT)
        if position % alignment:
            raise InputError("FG-TFL-06", f"{where}: offset {position} is not a multiple of {alignment}",
                             expected="aligned data", fix=_CORRUPT)

    def spend(self, size: int, where: str) -> None:
        """Count bytes read; refuse a file that is read many times over."""
        self._budget -= size
        if self._budget < 0:
            raise InputError("FG-TFL-07", f"{where}: the tables share so much that reading never ends",
                             expected="tables that are used once", fix=_CORRUPT)

    def count_table(self, where: str) -> None:
        """Count a table; refuse a file of absurdly many."""
        self._tables += 1
        if self._tables > MAX_TABLES:
            raise InputError("FG-TFL-08", f"{where}: more than {MAX_TABLES} tables",
                             expected="a model for a microcontroller", fix="use a smaller model")


class Table:
    """One table. ``path`` names it in errors, such as ``subgraphs[0].tensors[3]``."""

    def __init__(self, buffer: FlatBuffer, position: int, path: str) -> None:
        buffer.count_table(path)
        self.path = path
        self._buffer = buffer
        self._position = position
        self._vtable = position - int(buffer.unpack("i", position, path))
        self._vtable_size = int(buffer.unpack("H", self._vtable, path))
        self._size = int(buffer.unpack("H", self._vtable + 2, path))
        if self._vtable_size < 4 or self._vtable_size % 2 or self._size < 4:
            raise InputError("FG-TFL-09", f"{path}: a vtable of {self._vtable_size} bytes for {self._size}",
                             expected="an even size of at least 4, for at least 4", fix=_CORRUPT)
        buffer.check(self._vtable, self._vtable_size, 2, path)
        buffer.check(position, self._size, 4, path)
        buffer.spend(max(self._size, SMALLEST_TABLE), path)

    def _field(self, field: int, width: int) -> int | None:
        """Position of a field, ``None`` where it is absent."""
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_size:
            return None
        offset = int(self._buffer.unpack("H", self._vtable + entry, self.path))
        if offset == 0:
            return None
        if offset < 4 or offset + width > self._size:
            raise InputError("FG-TFL-10", f"{self.path}: field {field} at offset {offset} of {self._size}",
                             expected="a field inside its table", fix=_CORRUPT)
        return self._position + offset

    def has_field_from(self, field: int) -> bool:
        """Whether any field from this one on is present."""
        return any(self._field(later, 0) is not None for later in range(field, (self._vtable_size - 4) // 2))

    def scalar(self, field: int, layout: str, default: int | float = 0) -> int | float:
        """A number; ``layout`` is a `struct` character."""
        position = self._field(field, struct.calcsize(layout))
        return default if position is None else self._buffer.unpack(layout, position, self.path)

    def integer(self, field: int, layout: str = "i", default: int = 0) -> int:
        """A whole number."""
        return int(self.scalar(field, layout, default))

    def table(self, field: int, name: str) -> Table | None:
        """A child table, ``None`` where it is absent."""
        position = self._field(field, 4)
        path = f"{self.path}.{name}"
        return None if position is None else Table(self._buffer, self._buffer.follow(position, path), path)

    def tables(self, field: int, name: str) -> list[Table]:
        """A vector of child tables, empty where it is absent."""
        path = f"{self.path}.{name}"
        first, count = self._vector(field, 4, path)
        return [Table(self._buffer, self._buffer.follow(first + 4 * i, path), f"{path}[{i}]") for i in range(count)]

    def vector(self, field: int, dtype: str, name: str) -> np.ndarray | None:
        """A vector of numbers as a read-only view of the file, ``None`` where it is absent."""
        if self._field(field, 4) is None:
            return None
        first, count = self._vector(field, np.dtype(dtype).itemsize, f"{self.path}.{name}")
        return np.frombuffer(self._buffer.content, np.dtype(dtype).newbyteorder("<"), count, first)

    def vector_offset(self, field: int, name: str) -> int:
        """Offset in the file of a vector's first element, 0 where it is absent."""
        position = self._field(field, 4)
        return 0 if position is None else self._buffer.follow(position, f"{self.path}.{name}") + 4

    def string(self, field: int, name: str) -> str | None:
        """A string with everything that does not print escaped, ``None`` where it is absent.

        Names come from outside and go to terminals, reports and C comments.
        """
        if self._field(field, 4) is None:
            return None
        path = f"{self.path}.{name}"
        first, count = self._vector(field, 1, path)
        self._buffer.check(first, count + 1, 1, path)
        content = self._buffer.content
        if content[first + count] != 0:
            raise InputError("FG-TFL-11", f"{path}: a string without its closing zero byte", expected="a zero byte",
                             fix=_CORRUPT)
        text = content[first:first + count].decode("utf-8", "backslashreplace")
        return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

    def _vector(self, field: int, width: int, path: str) -> tuple[int, int]:
        """Position of the first element and the number of elements; (0, 0) where absent."""
        position = self._field(field, 4)
        if position is None:
            return 0, 0
        start = self._buffer.follow(position, path)
        count = int(self._buffer.unpack("I", start, path))
        self._buffer.check(start + 4, count * width, width if count else 1, path)
        self._buffer.spend(count * width, path)
        return start + 4, count
