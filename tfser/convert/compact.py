"""Write a .tflite file in one canonical, compact form: same content, same bytes."""

from __future__ import annotations

from typing import Any

import flatbuffers

_BUFFER_ALIGNMENT = 16  # the schema's force_align of buffer data, which the Python packer ignores


class SharingBuilder(flatbuffers.Builder):
    """A FlatBuffers builder that stores equal vectors of numbers once.

    FlatBuffers let several tables point to one vector. In an int8 model the per-channel zero
    points (8 bytes a channel, all zero) and the shapes repeat hundreds of times.
    """

    head: int  # the builder's: index of the first byte written so far

    def __init__(self, initial_size: int = 1024) -> None:
        super().__init__(initial_size)
        self._seen: dict[tuple[int, int, int, bytes], int] = {}
        self._layout = (0, 0, 0)
        self._before = 0
        self._shareable = False

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        alignment = max(alignment, _BUFFER_ALIGNMENT) if elemSize == 1 else alignment
        self._layout = (elemSize, numElems, alignment)
        self._before = self.Offset()
        self._shareable = True
        return super().StartVector(elemSize, numElems, alignment)

    def PrependUOffsetTRelative(self, off: int) -> None:
        self._shareable = False  # relative offsets: equal bytes elsewhere mean something else
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:
        end = super().EndVector(numElems)
        if not self._shareable:
            return end
        self._shareable = False
        size = 4 + self._layout[0] * self._layout[1]
        key = (*self._layout, bytes(self.Bytes[self.head : self.head + size]))
        if key in self._seen:
            self.head = len(self.Bytes) - self._before  # take back what was just written
            return self._seen[key]
        self._seen[key] = end
        return end


def pack(model: Any) -> bytes:
    """Serialise a schema ``ModelT`` with shared vectors and the TFL3 identifier."""
    builder = SharingBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
