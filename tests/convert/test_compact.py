"""The packer that shares vectors: same content, fewer bytes, and buffers where an interpreter may read them."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_builder import Graph, fb, options, pack, unpack

from tfser.convert import compact
from tfser.convert.compact import SharingBuilder

ALIGNMENT = 16


def assert_equal(a, b, path="model"):
    """Two object trees of the schema hold the same, field by field."""
    assert type(a) is type(b), path
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and np.array_equal(a, b), path
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f"{path}[{index}]")
    elif hasattr(a, "__dict__"):
        for field in vars(a):
            assert_equal(getattr(a, field), getattr(b, field), f"{path}.{field}")
    else:
        assert a == b, path


def offsets(content):
    """Where in the file the data of each buffer begins."""
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    model = fb.Model.GetRootAs(content, 0)
    data = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    return [array.__array_interface__["data"][0] - start for array in data]


def odd_model():
    """Buffers of odd sizes, so that where the next begins is not aligned by luck; shapes and scales repeat."""
    graph = Graph()
    x = graph.tensor("int8", (1, 3), name="x")
    for index in range(6):
        size = 3 + 2 * index
        w = graph.tensor("int8", (size, 3), data=np.arange(3 * size) % 120, scale=[0.5] * size, name=f"w{index}")
        y = graph.tensor("int8", (1, size), name=f"y{index}")
        graph.operator("FULLY_CONNECTED", [x, w, -1], [y], options=options("FullyConnectedOptions"))
    return graph.finish([x], [y])


@pytest.mark.parametrize("source", ["converter", "odd"])
def test_equal_content_in_fewer_bytes(conversion, source):
    content = conversion.content if source == "converter" else odd_model()
    model = unpack(content)
    packed = compact.pack(model)
    assert_equal(unpack(packed), model)
    assert packed[4:8] == b"TFL3"
    assert len(packed) < (0.9 if source == "converter" else 1.0) * len(pack(model))


def test_the_comparison_sees_one_changed_weight(conversion):
    model = unpack(conversion.content)
    buffer = max(model.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    buffer.data = buffer.data.copy()
    buffer.data[-1] ^= 1
    with pytest.raises(AssertionError, match=r"model\.buffers\[\d+\]\.data"):
        assert_equal(unpack(compact.pack(model)), unpack(conversion.content))


def test_packing_is_repeatable(conversion):
    packed = compact.pack(unpack(conversion.content))
    assert compact.pack(unpack(packed)) == packed


@pytest.mark.parametrize("source", ["converter", "odd"])
def test_buffers_are_aligned(conversion, source):
    content = conversion.content if source == "converter" else odd_model()
    packed = offsets(compact.pack(unpack(content)))
    assert len(packed) > 5
    assert [offset for offset in packed if offset % ALIGNMENT] == []


def test_the_packer_of_flatbuffers_does_not_align():
    """So the test above tests something."""
    assert any(offset % ALIGNMENT for offset in offsets(pack(unpack(odd_model()))))


# --- the builder itself ---------------------------------------------------------------------------------------
def numbers(builder, values, dtype):
    return builder.CreateNumpyVector(np.array(values, dtype))


def names(builder, words):
    """A vector of strings: of offsets, each relative to where it stands."""
    strings = [builder.CreateString(word) for word in words]
    builder.StartVector(4, len(strings), 4)
    for string in reversed(strings):
        builder.PrependUOffsetTRelative(string)
    return builder.EndVector()


def test_equal_vectors_of_numbers_are_one():
    builder = SharingBuilder()
    first = numbers(builder, [1, 2, 3], np.int32)
    size = builder.Offset()
    assert numbers(builder, [1, 2, 3], np.int32) == first
    assert builder.Offset() == size  # nothing was added, no padding either
    assert numbers(builder, [1, 2, 4], np.int32) != first


def test_vectors_that_only_look_alike_are_not_shared():
    builder = SharingBuilder()
    made = [numbers(builder, [0, 0], np.int32), numbers(builder, [0, 0], np.int64), numbers(builder, [0, 0], np.int8),
            numbers(builder, [0], np.int64)]
    made.append(numbers(builder, [0, 0], np.float32))  # same size, same bytes: the same numbers
    assert len(set(made)) == 4 and made[-1] == made[0]


def test_vectors_of_another_alignment_are_not_shared():
    builder = SharingBuilder()
    numbers(builder, [1], np.int8)  # an odd place to begin
    offsets = []
    for alignment in (4, 8, 16):
        builder.StartVector(4, 1, alignment)
        builder.PrependInt32(7)
        offsets.append(builder.EndVector())
        assert (offsets[-1] - 4) % alignment == 0  # offsets count from the end; the element is behind its count
    assert len(set(offsets)) == 3


def test_vectors_of_offsets_are_never_shared():
    """Of the two vectors here every byte is equal, and yet one says 'left' and the other 'west'."""
    builder = SharingBuilder()
    left, west = names(builder, ["left"]), names(builder, ["west"])
    stored = [bytes(builder.Bytes[len(builder.Bytes) - at:][:8]) for at in (left, west)]
    assert stored[0] == stored[1]
    assert left != west


def test_names_survive_packing():
    model = unpack(odd_model())
    for tensor, name in zip(model.subgraphs[0].tensors, ["left", "west", "left/w", "west/w"], strict=False):
        tensor.name = name.encode()
    assert_equal(unpack(compact.pack(model)), model)


def test_a_builder_that_has_to_grow_keeps_what_it_shares():
    made = []
    for builder in (SharingBuilder(1), SharingBuilder(1 << 20)):
        first = numbers(builder, [7] * 9, np.int32)
        numbers(builder, range(400), np.int16)  # the small one grows here, and moves what it holds
        assert numbers(builder, [7] * 9, np.int32) == first
        assert numbers(builder, [8] * 900, np.int32) != first
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, first, 0)
        builder.Finish(builder.EndObject())
        made.append(bytes(builder.Output()))
    assert made[0] == made[1]
