"""Write a .tflite file in one canonical, compact form: same content, same bytes."""

from __future__ import annotations

from typing import Any

import flatbuffers

_COUNT_BYTES = 4  # in front of the elements of a vector
_BUFFER_ALIGNMENT = 16  # the schema's force_align of buffer data, which the Python packer ignores


class SharingBuilder(flatbuffers.Builder):
    """A FlatBuffers builder that stores equal vectors of numbers once.

    FlatBuffers let several tables point to one vector. In an int8 model the per-channel zero
    points (8 bytes a channel, all zero) and the shapes repeat hundreds of times.
    """

    head: int  # the builder's: index of the first byte written so far

    def __init__(self, initial_size: int = 1024) -> None:
        super().__init__(initial_size)
        self._seen: dict[tuple[int, bytes], int] = {}
        # Of the vector that is being written:
        self._alignment = 0
        self._size = 0  # bytes, with the count in front
        self._before = 0  # offset before it and its padding
        self._shareable = False

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        self._alignment = max(alignment, _BUFFER_ALIGNMENT) if elemSize == 1 else alignment
        self._size = _COUNT_BYTES + elemSize * numElems
        self._before = self.Offset()
        self._shareable = True
        return super().StartVector(elemSize, numElems, self._alignment)

    def PrependUOffsetTRelative(self, off: int) -> None:
        self._shareable = False  # relative offsets: equal bytes elsewhere mean something else
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:
        end = super().EndVector(numElems)
        if not self._shareable:  # of offsets, or a string
            return end
        self._shareable = False
        key = self._alignment, bytes(self.Bytes[self.head : self.head + self._size])
        if key in self._seen:
            self.head = len(self.Bytes) - self._before  # take back what was just written
        return self._seen.setdefault(key, end)


def pack(model: Any) -> bytes:
    """Serialise a schema ``ModelT`` with shared vectors and the TFL3 identifier."""
    builder = SharingBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
