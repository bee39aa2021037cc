"""Where the layers of a graph stand: rows from top to bottom by what each one reads, long edges at the side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 168, 38  # of a box
COLUMN, ROW = WIDTH + 12, HEIGHT + 16  # from box to box
LANE = 9  # between edges that pass rows at the side


@dataclass(frozen=True)
class Place:
    """The middle of a box's upper side, in pixels, and its row."""

    x: float
    y: float
    row: int


@dataclass(frozen=True)
class Edge:
    """From one box to another; ``lane`` is the x at which it passes rows, ``None`` between neighbours."""

    start: int
    end: int
    lane: float | None


@dataclass(frozen=True)
class Layout:
    """Boxes by number with their edges, in a picture of ``width`` times ``height`` pixels."""

    places: Mapping[int, Place]
    edges: Sequence[Edge]
    width: float
    height: float


def lay_out(reads: Mapping[int, Sequence[int]]) -> Layout:
    """Place boxes so that each stands below all that it reads.

    Parameters
    ----------
    reads : mapping of int to sequence of int
        What each box reads, in an order in which they can run. A number that is no key stands in the top row.
    """
    rows: dict[int, int] = {}
    for box, read in reads.items():
        rows.update((source, 0) for source in read if source not in reads)
        rows[box] = 1 + max((rows[source] for source in read), default=0)
    members: dict[int, list[int]] = defaultdict(list)
    for box in sorted(rows):
        members[rows[box]].append(box)
    middles: dict[int, float] = {}
    for row in sorted(members):
        own = sorted(members[row], key=lambda box: (_mean([middles[source] for source in reads.get(box, ())]), box))
        middles.update((box, (at - (len(own) - 1) / 2) * COLUMN) for at, box in enumerate(own))
    lanes = _lanes(reads, rows, members)
    right = max([*(x + WIDTH / 2 for x in middles.values()), *lanes.values()], default=0.0) + 2
    left = max((x + WIDTH / 2 for x in middles.values()), default=0.0) + 2
    first = min(rows.values(), default=0)
    places = {box: Place(x + left, (rows[box] - first) * ROW + 2, rows[box]) for box, x in middles.items()}
    edges = [Edge(source, box, lanes[source, box] + left if (source, box) in lanes else None)
             for box, read in reads.items() for source in read]
    return Layout(places, edges, left + right, (max(rows.values(), default=0) - first) * ROW + HEIGHT + 4)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _lanes(reads: Mapping[int, Sequence[int]], rows: Mapping[int, int],
           members: Mapping[int, Sequence[int]]) -> dict[tuple[int, int], float]:
    """The x of each edge that passes a row: right of all that it passes, and of the lanes there; short edges first."""
    long = [(source, box) for box, read in reads.items() for source in read if rows[box] - rows[source] > 1]
    taken: list[tuple[int, int, float]] = []
    lanes = {}
    for source, box in sorted(long, key=lambda edge: (rows[edge[1]] - rows[edge[0]], edge)):
        first, last = rows[source], rows[box]
        x = max((len(members[row]) - 1) / 2 * COLUMN + WIDTH / 2 for row in range(first, last + 1)) + 2 * LANE
        passed = [lane for begin, end, lane in taken if begin < last and first < end]
        while any(abs(x - lane) < LANE for lane in passed):
            x += LANE
        taken.append((first, last, x))
        lanes[source, box] = x
    return lanes
