"""Offsets of the buffers: first fit over many orders, until the lower bound is reached or the tries are spent."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_gen.plan.overlap import Overlap, Overlaps
from firmware_gen.plan.program import Buffer

WORK = 200_000  # pairs of buffers looked at while searching: less than a second


@dataclass(frozen=True)
class Assignment:
    """Offset of each buffer, the end of the last one, and what no plan of these buffers can go below, in bytes."""

    offsets: Mapping[int, int]
    size: int
    lower_bound: int


def lifetime(buffer: Buffer, width: int) -> tuple[int, int]:
    """First and last moment, where a step has ``width`` moments."""
    if buffer.nodes is None:
        return buffer.first * width, buffer.last * width + width - 1
    return buffer.first * width + buffer.nodes[0], buffer.first * width + buffer.nodes[1]


def assign(buffers: Mapping[int, Buffer], overlaps: Overlaps, enough: int = 0) -> Assignment:
    """Offsets with no two buffers in conflict; the same for the same buffers.

    Parameters
    ----------
    buffers : mapping of int to Buffer
        Without offsets.
    overlaps : mapping of (int, int) to Overlap
        For pairs (dying, new): the distances at which they may share bytes.
    enough : int
        Of interest is only whether as few bytes do: a shorter search, none where the bound says that they cannot.
    """
    search = _Search(buffers, overlaps)
    bound = search.lower_bound()
    best: tuple[int, list[int], dict[int, int]] | None = None
    for order in search.orders():
        offsets = search.first_fit(order)
        size = search.end(offsets)
        if best is None or size < best[0]:
            best = size, order, offsets
    assert best is not None
    rng = random.Random(0)
    work = WORK // 8 if enough else WORK
    for _ in range(max(1, work // (search.pairs + 1))):
        if best[0] <= max(bound, enough) or bound > enough > 0:
            break
        order = search.changed(best[1], best[2], best[0], rng)
        kept = {i: best[2][i] for i in order[:common(order, best[1])]}
        if offsets := search.first_fit(order, kept, most=best[0]):
            best = search.end(offsets), order, offsets
    return Assignment(best[2], best[0], min(bound, best[0]))


def common(order: Sequence[int], other: Sequence[int]) -> int:
    """How many buffers both orders begin with."""
    return next((place for place, (one, two) in enumerate(zip(order, other, strict=True)) if one != two), len(order))


class _Search:
    def __init__(self, buffers: Mapping[int, Buffer], overlaps: Overlaps) -> None:
        self.buffers, self.overlaps = buffers, overlaps
        self.width = max((b.nodes[1] for b in buffers.values() if b.nodes is not None), default=0) + 1
        self.life = {i: lifetime(buffer, self.width) for i, buffer in buffers.items()}
        self.neighbours = {i: [j for j in buffers if j != i and self.meet(i, j)] for i in buffers}
        self.pairs = sum(map(len, self.neighbours.values()))
        self.forbidden = {i: [(j, self.conflicts(i, j)) for j in beside] for i, beside in self.neighbours.items()}

    def meet(self, i: int, j: int) -> bool:
        """Whether both are alive at some moment."""
        return self.life[i][0] <= self.life[j][1] and self.life[j][0] <= self.life[i][1]

    def end(self, offsets: Mapping[int, int]) -> int:
        return max((offsets[i] + self.buffers[i].size for i in offsets), default=0)

    def orders(self) -> list[list[int]]:
        """Orders to begin with.

        Large first, long and large first, as they are needed, crowded first, long first, and what
        is needed last first: along a chain of overlaps each value lies a little below the one before.
        """
        size = {i: buffer.size for i, buffer in self.buffers.items()}
        length = {i: last - first + 1 for i, (first, last) in self.life.items()}
        around = {i: size[i] + sum(size[j] for j in self.neighbours[i]) for i in size}
        keys: list[dict[int, tuple[int, ...]]] = [
            {i: (-size[i], i) for i in size}, {i: (-size[i] * length[i], i) for i in size},
            {i: (*self.life[i], i) for i in size}, {i: (-around[i], -size[i], i) for i in size},
            {i: (-length[i], -size[i], i) for i in size},
            {i: (self.buffers[i].nodes is not None, -self.life[i][1], -self.life[i][0], i) for i in size}]
        return [sorted(size, key=key.__getitem__) for key in keys]

    def changed(self, order: Sequence[int], offsets: Mapping[int, int], size: int, rng: random.Random) -> list[int]:
        """The order with a buffer that ends at the top, or one beside it, moved forward; now and then another."""
        top = [i for i in order if offsets[i] + self.buffers[i].size == size]
        choice = rng.choice(top)
        if self.neighbours[choice] and rng.random() < 0.5:
            choice = rng.choice(self.neighbours[choice])
        result = [i for i in order if i != choice]
        result.insert(rng.randrange(len(result) + 1), choice)
        return result

    def first_fit(self, order: Sequence[int], kept: Mapping[int, int] | None = None,
                  most: float = math.inf) -> dict[int, int]:
        """Each buffer at the lowest offset that those before it leave; the first ones are where they are ``kept``.

        Nothing where one would end above ``most``.
        """
        offsets = dict(kept or {})
        for i in order[len(offsets):]:
            taken = [(there + first, there + last) for j, spans in self.forbidden[i]
                     if (there := offsets.get(j)) is not None for first, last in spans]
            alignment, at = self.buffers[i].alignment, 0
            for first, last in sorted(taken):
                if at < first:
                    break
                if at <= last:
                    at = -(-(last + 1) // alignment) * alignment
            if at + self.buffers[i].size > most:
                return {}
            offsets[i] = at
        return offsets

    def conflicts(self, i: int, j: int) -> list[tuple[int, int]]:
        """Distances of ``i`` from ``j`` (inclusive intervals of offset less offset) at which they conflict."""
        first, last = 1 - self.buffers[i].size, self.buffers[j].size - 1
        new = self.overlaps.get((j, i))
        old = self.overlaps.get((i, j))
        if new is not None:  # j is dying: its distance from i is the other way round
            first, last = max(first, 1 - new.least), min(last, -new.most - 1)
            points = [-distance for distance in new.exact]
        elif old is not None:  # i is dying
            first, last = max(first, old.most + 1), min(last, old.least - 1)
            points = list(old.exact)
        else:
            points = []
        spans = []
        for point in sorted(points):
            if first <= point <= last:
                spans.append((first, point - 1))
                first = point + 1
        spans.append((first, last))
        return [span for span in spans if span[0] <= span[1]]

    def lower_bound(self) -> int:
        """The largest live set, less what its pairs can share."""
        saved = {pair: self.saving(*pair, overlap) for pair, overlap in self.overlaps.items()}
        most = 0
        for moment in sorted({life[0] for life in self.life.values()}):
            live = {i for i, (first, last) in self.life.items() if first <= moment <= last}
            shared = sum(saving for pair, saving in saved.items() if live.issuperset(pair))
            most = max(most, sum(self.buffers[i].size for i in live) - shared)
        return most

    def saving(self, dying: int, new: int, overlap: Overlap) -> int:
        """Bytes that the two can share at most."""
        x, y = self.buffers[dying].size, self.buffers[new].size
        tries = {*overlap.exact, overlap.least, max(overlap.least, 0), max(overlap.least, y - x),
                 overlap.most, min(overlap.most, 0), min(overlap.most, y - x)}
        return max(0, *(x + y - (max(d + x, y) - min(d, 0)) for d in tries))
