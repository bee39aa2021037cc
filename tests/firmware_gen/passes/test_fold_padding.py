"""A convolution pads for itself."""

from __future__ import annotations

import pytest
from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.movement import Pad
from firmware_gen.passes.fold_padding import fold_padding

ZERO_POINT = 5


def padded(layer, before, after, value=ZERO_POINT, **window):
    make = Maker()
    x = make.add(Pad(before, after, value), make.input(1, 7, 6, 4))
    return make.graph(make.conv(x, 6, (3, 3), **window) if layer == "conv" else make.depthwise(x, (3, 3), **window))


@pytest.mark.parametrize("layer", ["conv", "depthwise"])
@pytest.mark.parametrize(("before", "after", "window"), [
    ((0, 1, 1, 0), (0, 1, 1, 0), {}),
    ((0, 2, 0, 0), (0, 0, 0, 0), {}),  # causal
    ((0, 1, 1, 0), (0, 0, 2, 0), {"stride": (2, 2)}),
    ((0, 1, 1, 0), (0, 1, 1, 0), {"padding": (1, 0)}),
])
def test_padding_of_zeros(layer, before, after, window):
    after_pass = fires(fold_padding, padded(layer, before, after, **window),
                       ["Conv2D" if layer == "conv" else "DepthwiseConv2D"])
    given = window.get("padding", (0, 0))
    assert after_pass.nodes[0].op.window.padding == (before[1] + given[0], before[2] + given[1])


@pytest.mark.parametrize(("before", "after", "value"), [
    ((0, 1, 1, 0), (0, 1, 1, 0), ZERO_POINT + 1),  # another number than 0
    ((0, 0, 0, 1), (0, 0, 0, 0), ZERO_POINT),  # a channel
    ((1, 0, 0, 0), (0, 0, 0, 0), ZERO_POINT),  # an image
    ((0, 3, 0, 0), (0, 0, 0, 0), ZERO_POINT),  # a position that sees nothing else
])
@pytest.mark.parametrize("layer", ["conv", "depthwise"])
def test_other_padding_stays(layer, before, after, value):
    does_nothing(fold_padding, padded(layer, before, after, value))


def test_padding_that_others_read_is_folded_for_each():
    make = Maker()
    x = make.add(Pad((0, 1, 1, 0), (0, 1, 1, 0), ZERO_POINT), make.input(1, 7, 6, 4))
    graph = make.graph(make.binary("mul", make.conv(x, 4, (3, 3)), make.depthwise(x, (3, 3))))
    fires(fold_padding, graph, ["Conv2D", "DepthwiseConv2D", "mul"])
    other = make.graph(make.conv(x, 4, (3, 3)), make.lookup(x))
    fires(fold_padding, other, ["Pad", "Conv2D", "Lookup"])
