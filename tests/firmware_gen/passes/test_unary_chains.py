"""Every function of one code is one table."""

from __future__ import annotations

import numpy as np
import pytest
from made import IDENTITY, Maker, does_nothing, fires

from firmware_gen.passes.unary_chains import unary_chains


def test_chain_of_tables():
    make = Maker()
    x = make.input(3, 8)
    for _ in range(4):
        x = make.lookup(x)
    after = fires(unary_chains, make.graph(x), ["Lookup"])
    assert after.nodes[0].origin == tuple(f"operator {i}" for i in range(4))


def test_swish():
    make = Maker()
    x = make.dense(make.input(3, 8), 5)
    gate = make.lookup(x)
    fires(unary_chains, make.graph(make.binary("mul", x, gate)), ["Dense", "Lookup"])
    other = Maker()
    x = other.dense(other.input(3, 8), 5)
    fires(unary_chains, other.graph(other.binary("mul", other.lookup(x), other.lookup(other.lookup(x)))),
          ["Dense", "Lookup"])


@pytest.mark.parametrize("kind", ["add", "sub", "mul", "squared_difference", "maximum", "minimum"])
@pytest.mark.parametrize("first", [False, True])
def test_constant_of_one_element(kind, first):
    make = Maker()
    x, one = make.input(3, 80), make.constant([40])
    graph = make.graph(make.binary(kind, one, x) if first else make.binary(kind, x, one))
    fires(unary_chains, graph, ["Lookup"])


def test_constant_of_more_dimensions():
    make = Maker()
    x, one = make.lookup(make.input(3, 8)), make.constant(np.full((1, 1, 1), 7, np.int8))
    after = fires(unary_chains, make.graph(make.binary("add", x, one)), ["Lookup", "Reshape"])
    assert after.values[after.outputs[0]].shape == (1, 3, 8)


def test_table_of_the_codes_themselves():
    make = Maker()
    x = make.dense(make.input(3, 8), 5)
    fires(unary_chains, make.graph(make.lookup(x, IDENTITY)), ["Dense"])


def test_table_that_others_read_stays_between():
    make = Maker()
    first = make.lookup(make.input(3, 8))
    does_nothing(unary_chains, make.graph(first, make.lookup(first)))
    does_nothing(unary_chains, make.graph(make.binary("add", make.lookup(first), make.dense(first, 8))))


def test_two_tensors_are_no_function_of_one():
    make = Maker()
    x, y = make.input(3, 8), make.input(3, 8)
    does_nothing(unary_chains, make.graph(make.binary("mul", x, make.lookup(y))))
    does_nothing(unary_chains, make.graph(make.binary("mul", x, make.drawn(8))))


def test_same_tensor_twice():
    make = Maker()
    x = make.input(3, 80)
    fires(unary_chains, make.graph(make.binary("mul", x, x)), ["Lookup"])


def test_broadcast_of_a_tensor_over_itself_is_none():
    """A column and a row of one tensor are different elements."""
    make = Maker()
    x = make.input(6, 1)
    does_nothing(unary_chains, make.graph(make.binary("add", make.reshape(x, 1, 6), x)))
