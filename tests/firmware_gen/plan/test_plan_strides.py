"""Arithmetic on strides, beside NumPy's own."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_gen.plan.strides import collapse, dense, reshape, row_access, split

sizes = st.lists(st.sampled_from([1, 1, 2, 2, 3, 4, 5, 6]), min_size=1, max_size=5)


@st.composite
def strided(draw: st.DrawFn) -> np.ndarray:
    """Numbers that are their own addresses, transposed and sliced."""
    shape = draw(sizes)
    array = np.arange(math.prod(shape)).reshape(shape).transpose(draw(st.permutations(range(len(shape)))))
    steps = [draw(st.sampled_from([1, 1, 1, -1, 2])) for _ in shape]
    return array[tuple(slice(None, None, step) for step in steps)]


def strides_of(array: np.ndarray) -> tuple[int, ...]:
    return tuple(s // array.itemsize if n != 1 else 0 for n, s in zip(array.shape, array.strides, strict=True))


def addresses(first: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    grids = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, strides, strict=True)), indexing="ij")
    return first + sum(grids, np.zeros(shape, int))


@given(sizes)
def test_packed_strides_are_numpys(shape: list[int]) -> None:
    assert dense(tuple(shape)) == strides_of(np.zeros(shape, np.int64))


@given(strided(), st.data())
def test_a_reshape_is_a_view_exactly_where_numpy_makes_none_by_copying(array: np.ndarray, data: st.DataObject) -> None:
    rest, to = array.size, []
    while rest > 1:
        to.append(data.draw(st.sampled_from([n for n in range(2, rest + 1) if rest % n == 0])))
        rest //= to[-1]
    to = data.draw(st.permutations([*to, *[1] * data.draw(st.integers(0, 2))]))
    found, expected = reshape(array.shape, strides_of(array), tuple(to)), array.reshape(to)
    if found is None:
        assert not np.shares_memory(array, expected)
    else:
        np.testing.assert_array_equal(addresses(array.flat[0], tuple(to), found), expected)


@given(strided())
def test_collapse_is_one_run(array: np.ndarray) -> None:
    found = collapse(array.shape, strides_of(array))
    distances = set(np.diff(array.ravel()).tolist())
    assert (found is not None) == (len(distances) < 2)
    if found:
        assert found == (array.size, distances.pop() if distances else 0)


@given(strided(), st.data())
def test_rows_are_found_where_they_lie(array: np.ndarray, data: st.DataObject) -> None:
    dims = [n for n in array.shape if n != 1]
    first = data.draw(st.integers(0, len(dims)))
    last = data.draw(st.integers(first, len(dims)))
    outer, rows = tuple(dims[:first]), math.prod(dims[first:last])
    assert split(array.shape, outer, rows) is not None
    access = row_access(array.shape, strides_of(array), int(array.flat[0]), outer, rows)
    assume(access is not None)
    loops = addresses(access.offset, outer, access.outer).reshape(-1, 1, 1)
    found = loops + np.arange(rows)[:, None] * access.row + np.arange(access.length) * access.stride
    np.testing.assert_array_equal(found.ravel(), array.ravel())


def test_a_row_of_every_second_element_has_no_access() -> None:
    assert row_access((4, 3), (6, 2), 0, (), 4) is None
    assert row_access((4, 3), (3, 1), 0, (), 4) is not None


def test_rows_that_are_no_run_have_no_access() -> None:
    assert row_access((2, 4, 3), (100, 3, 1), 0, (), 8) is None
    access = row_access((2, 4, 3), (100, 3, 1), 7, (2,), 4)
    assert access is not None
    assert (access.offset, access.outer, access.row, access.length, access.end) == (7, (100,), 3, 3, 10)


def test_split_ignores_dimensions_of_one_element() -> None:
    assert split((1, 4, 50, 8), (4,), 50) == (2, 3)
    assert split((1, 4, 50, 8), (), 200) == (0, 3)
    assert split((1, 4, 50, 8), (50,), 8) is None
