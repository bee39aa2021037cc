"""What is computed twice is computed once."""

from __future__ import annotations

from made import IDENTITY, Maker, does_nothing, fires

from firmware_gen.passes.merge_duplicates import merge_duplicates

NEGATIVE = IDENTITY[::-1].copy()


def test_tables_and_movement_in_a_row():
    make = Maker()
    x = make.input(3, 8)
    ways = [make.reshape(make.lookup(make.transpose(x, 1, 0), NEGATIVE.copy()), 2, 12) for _ in range(3)]
    graph = make.graph(make.binary("mul", make.binary("add", ways[0], ways[1]), ways[2]))
    fires(merge_duplicates, graph, ["Transpose", "Lookup", "Reshape", "add", "mul"])


def test_output_stays():
    make = Maker()
    x = make.input(3, 8)
    first, second = make.lookup(x, NEGATIVE), make.lookup(x, NEGATIVE)
    does_nothing(merge_duplicates, make.graph(first, second))


def test_others_stay():
    make = Maker()
    x, y = make.input(4, 4), make.input(4, 4)
    same = [make.lookup(x), make.lookup(x), make.transpose(x, 1, 0), make.reshape(x, 4, 4), make.transpose(y, 1, 0)]
    total = same[0]
    for other in same[1:]:
        total = make.binary("add", total, other)
    does_nothing(merge_duplicates, make.graph(total))
