"""The constant arrays of a program: each distinct content once, in two C sources."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

C_TYPES = {"int8": "int8_t", "int32": "int32_t"}
LINE_VALUES = {"int8": 24, "int32": 10}
ALIGNMENT_BYTES = 16
SECTIONS = {"weights": "TFSER_WEIGHTS_SECTION", "tables": "TFSER_TABLES_SECTION"}


class Constants:
    """Arrays by content. ``kind`` is ``weights`` (int8 weights and biases) or ``tables`` (all else).

    ``part_bytes`` are the bytes of each part of the code by kind, in the order of :meth:`begin_part`; what
    several parts use counts for the first.
    """

    def __init__(self) -> None:
        self.part_bytes: list[dict[str, int]] = []
        self._known: dict[tuple[str, str, bytes], str] = {}
        self._arrays: dict[str, list[tuple[str, np.ndarray, str]]] = {kind: [] for kind in SECTIONS}

    def begin_part(self) -> None:
        """What is added from now on belongs to the next part."""
        self.part_bytes.append(dict.fromkeys(SECTIONS, 0))

    def add(self, kind: str, values: np.ndarray, comment: str) -> str:
        """C name of the array of these values, int8 or int32."""
        flat = np.ascontiguousarray(values).reshape(-1)
        key = (kind, str(flat.dtype), flat.tobytes())
        if key not in self._known:
            name = f"tfser_{kind}_{len(self._arrays[kind])}"
            self._known[key] = name
            self._arrays[kind].append((name, flat, comment))
            if self.part_bytes:
                self.part_bytes[-1][kind] += flat.nbytes
        return self._known[key]

    def byte_size(self, kind: str) -> int:
        """Bytes of all arrays of a kind, without what alignment adds."""
        return sum(array.nbytes for _, array, _ in self._arrays[kind])

    def declarations(self, kind: str) -> list[str]:
        """Lines of the header."""
        return [f"extern const {C_TYPES[str(array.dtype)]} {name}[{array.size}];"
                for name, array, _ in self._arrays[kind]]

    def definitions(self, kind: str) -> Iterable[str]:
        """Lines of the source."""
        for name, array, comment in self._arrays[kind]:
            dtype = str(array.dtype)
            alignment = ALIGNMENT_BYTES if array.nbytes >= ALIGNMENT_BYTES else 4
            yield f"/* {c_comment(comment)} */"
            yield f"alignas({alignment}) {SECTIONS[kind]} const {C_TYPES[dtype]} {name}[{array.size}] = {{"
            width = LINE_VALUES[dtype]
            for start in range(0, array.size, width):
                yield "    " + ", ".join(literal(v) for v in array[start:start + width].tolist()) + ","
            yield "};"


def literal(value: int) -> str:
    """An integer literal; the least int32 has none of its own."""
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def c_comment(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return text.replace("*/", "* /").replace("\n", " ")
