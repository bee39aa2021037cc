"""Offsets: no conflicts, near the lower bound, and overlaps only where they are safe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import FORMS, planned, random_graph

from firmware_gen.plan.arena import assign, lifetime
from firmware_gen.plan.overlap import Overlap, _bounds, _is_safe
from firmware_gen.plan.program import Buffer
from firmware_gen.plan.traffic import NEVER_READ, NEVER_WRITTEN


@st.composite
def buffers(draw: st.DrawFn) -> dict[int, Buffer]:
    found = {}
    for number in range(draw(st.integers(1, 14))):
        first = draw(st.integers(0, 8))
        nodes = (draw(st.integers(0, 1)), draw(st.integers(1, 3))) if draw(st.booleans()) else None
        last = first if nodes else first + draw(st.integers(0, 3))
        found[number] = Buffer(number, draw(st.integers(1, 200)), draw(st.sampled_from([1, 4, 16])), first, last,
                               f"b{number}", nodes=nodes)
    return found


def meet(a: Buffer, b: Buffer) -> bool:
    (a_first, a_last), (b_first, b_last) = lifetime(a, 4), lifetime(b, 4)
    return a_first <= b_last and b_first <= a_last


def share(a: Buffer, b: Buffer, offsets: dict[int, int]) -> bool:
    return offsets[a.id] < offsets[b.id] + b.size and offsets[b.id] < offsets[a.id] + a.size


@settings(deadline=None, max_examples=40)
@given(buffers(), st.data())
def test_buffers_share_bytes_only_as_allowed(made: dict[int, Buffer], data: st.DataObject) -> None:
    allowed = {}
    for a in made.values():
        for b in made.values():
            if a.id < b.id and a.last == b.first and a.nodes == b.nodes is None and data.draw(st.booleans()):
                least = data.draw(st.integers(-a.size, b.size))
                most = data.draw(st.integers(-a.size - 1, least - 1))
                allowed[a.id, b.id] = Overlap(least, most)
    found = assign(made, allowed)
    assert found.size == max(found.offsets[i] + buffer.size for i, buffer in made.items())
    assert found.lower_bound <= found.size
    for i, a in made.items():
        assert found.offsets[i] >= 0
        assert found.offsets[i] % a.alignment == 0
        for j, b in made.items():
            if i < j and meet(a, b) and share(a, b, dict(found.offsets)):
                pair = (i, j) if (i, j) in allowed else (j, i)
                assert allowed[pair].allows(found.offsets[pair[0]] - found.offsets[pair[1]])


@settings(deadline=None, max_examples=30)
@given(buffers())
def test_without_overlaps_the_bound_is_the_largest_live_set(made: dict[int, Buffer]) -> None:
    most = max(sum(b.size for b in made.values() if lifetime(b, 4)[0] <= moment <= lifetime(b, 4)[1])
               for moment in range(4 * 14))
    assert assign(made, {}).lower_bound == most


def test_random_graphs_come_near_their_bound() -> None:
    ratios = []
    for seed in range(24):
        for core in FORMS:
            program = planned(random_graph(seed), core)
            assert program.lower_bound_bytes <= program.arena_bytes
            ratios.append(program.arena_bytes / program.lower_bound_bytes)
    assert max(ratios) < 1.3
    assert np.mean(ratios) < 1.03


@given(st.lists(st.integers(NEVER_READ, 12), min_size=1, max_size=12),
       st.lists(st.one_of(st.integers(0, 12), st.just(NEVER_WRITTEN)), min_size=1, max_size=12))
def test_bounds_of_distances_are_the_tightest_that_are_safe_beyond(read: list[int], written: list[int]) -> None:
    last_read, first_written = np.array(read, np.int64), np.array(written, np.int64)
    least, most = _bounds(last_read, first_written)
    unsafe = [distance for distance in range(-len(read), len(written) + 1)
              if not _is_safe(last_read, first_written, distance)]
    if unsafe:
        assert (least, most) == (max(unsafe) + 1, min(unsafe) - 1)
    else:
        assert least <= most + 1  # no distance lies between them


@pytest.mark.parametrize(("overlap", "distance", "safe"), [
    (Overlap(8, -8), 8, True), (Overlap(8, -8), 7, False), (Overlap(8, -8), -8, True), (Overlap(8, -8), -7, False),
    (Overlap(8, -8, (0,)), 0, True)])
def test_which_distances_are_allowed(overlap: Overlap, distance: int, safe: bool) -> None:
    assert overlap.allows(distance) is safe
