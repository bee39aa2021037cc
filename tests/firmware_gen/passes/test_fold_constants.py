"""Constants are computed when compiling."""

from __future__ import annotations

import numpy as np
from graph_runner import evaluate
from made import Maker, does_nothing, fires

from firmware_gen.passes.fold_constants import fold_constants


def test_chain_of_constants_becomes_one():
    make = Maker()
    x = make.input(4, 6)
    weights = make.transpose(make.lookup(make.drawn(6, 4)), 1, 0)
    graph = make.graph(make.binary("add", x, weights))
    after = fires(fold_constants, graph, ["add"])
    assert after.values[after.nodes[0].inputs[1]].is_constant


def test_constant_that_others_read_too():
    make = Maker()
    x, weights = make.input(4, 6), make.drawn(4, 6)
    graph = make.graph(make.binary("add", make.binary("mul", x, weights), make.lookup(weights)))
    fires(fold_constants, graph, ["mul", "add"])


def test_output_is_copied_from_the_result():
    make = Maker()
    x = make.input(2)
    graph = make.graph(make.lookup(x), make.lookup(make.lookup(make.drawn(30))))
    after = fires(fold_constants, graph, ["Lookup", "Reshape"])
    assert after.outputs == graph.outputs
    assert np.unique(evaluate(after, [np.zeros(2, np.int8)])[1]).size > 8


def test_what_depends_on_an_input_stays():
    make = Maker()
    does_nothing(fold_constants, make.graph(make.binary("add", make.input(4), make.drawn(4))))
