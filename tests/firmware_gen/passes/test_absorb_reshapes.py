"""Dense layers take and give rows under any leading dimensions."""

from __future__ import annotations

from made import Maker, does_nothing, fires

from firmware_gen.passes.absorb_reshapes import absorb_reshapes


def test_reshape_before_and_after():
    make = Maker()
    x = make.dense(make.reshape(make.input(2, 3, 8), 6, 8), 5)
    after = fires(absorb_reshapes, make.graph(make.reshape(x, 3, 1, 2, 5)), ["Dense"])
    assert after.values[after.outputs[0]].shape == (3, 1, 2, 5)


def test_rows_that_change_stay():
    make = Maker()
    x = make.input(2, 3, 8)
    does_nothing(absorb_reshapes, make.graph(make.dense(make.reshape(x, 12, 4), 5)))
    does_nothing(absorb_reshapes, make.graph(make.reshape(make.dense(x, 6), 2, 9, 2)))


def test_result_that_others_read_stays():
    make = Maker()
    y = make.dense(make.input(6, 8), 5)
    does_nothing(absorb_reshapes, make.graph(y, make.reshape(y, 2, 3, 5)))


def test_reshape_that_others_read_too():
    make = Maker()
    x = make.reshape(make.input(2, 3, 8), 6, 8)
    graph = make.graph(make.binary("add", make.dense(x, 8), make.binary("mul", x, make.drawn(8))))
    after = fires(absorb_reshapes, graph, ["Reshape", "Dense", "mul", "add"])
    assert after.nodes[1].inputs[0] == after.inputs[0]
