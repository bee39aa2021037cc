"""Layers become simpler kinds: depthwise of one channel, convolution of the whole image, product with a constant."""

from __future__ import annotations

from dataclasses import replace

from made import Maker, does_nothing, fires

from firmware_gen.ir.ops.base import Window
from firmware_gen.passes.conv_to_dense import conv_to_dense
from firmware_gen.passes.depthwise_to_conv import depthwise_to_conv
from firmware_gen.passes.matmul_to_dense import matmul_to_dense


def test_depthwise_of_one_channel():
    make = Maker()
    x = make.input(2, 7, 6, 1)
    fires(depthwise_to_conv, make.graph(make.depthwise(x, (3, 2), times=5, padding=(1, 1), stride=(2, 1))), ["Conv2D"])


def test_depthwise_of_two_channels_stays():
    make = Maker()
    does_nothing(depthwise_to_conv, make.graph(make.depthwise(make.input(2, 7, 6, 2), (3, 2), times=5)))


def test_convolution_of_the_whole_image():
    make = Maker()
    x = make.input(3, 5, 4, 6)
    after = fires(conv_to_dense, make.graph(make.conv(x, 7, (5, 4))), ["Reshape", "Dense"])
    assert after.values[after.outputs[0]].shape == (3, 1, 1, 7)


def test_convolution_of_parts_stays():
    make = Maker()
    x = make.input(1, 5, 4, 6)
    does_nothing(conv_to_dense, make.graph(make.conv(x, 7, (5, 3))))
    does_nothing(conv_to_dense, make.graph(make.conv(x, 7, (5, 3), stride=(1, 4))))
    does_nothing(conv_to_dense, make.graph(make.conv(x, 7, (5, 4), padding=(1, 0), stride=(3, 1))))


def test_dilated_convolution_stays():
    """A kernel of the image's size that is dilated reads beyond it."""
    make = Maker()
    make.conv(make.input(1, 3, 3, 6), 7, (3, 3))
    node = make.nodes[0]
    window = Window((3, 3), (1, 1), (2, 2), (0, 0), (1, 1))
    make.nodes[0] = replace(node, op=replace(node.op, window=window))
    does_nothing(conv_to_dense, make.graph(node.output))


def test_product_with_a_constant():
    make = Maker()
    x = make.input(2, 3, 8)
    fires(matmul_to_dense, make.graph(make.matmul(x, make.drawn(8, 5))), ["Dense"])
    fires(matmul_to_dense, make.graph(make.matmul(x, make.drawn(1, 5, 8), transpose_b=True)), ["Dense"])


def test_other_products_stay():
    make = Maker()
    x = make.input(2, 3, 8)
    does_nothing(matmul_to_dense, make.graph(make.matmul(x, make.drawn(2, 8, 5))))  # a matrix for each
    does_nothing(matmul_to_dense, make.graph(make.matmul(make.drawn(2, 4, 3), x)))
    does_nothing(matmul_to_dense, make.graph(make.matmul(make.input(2, 8, 3), make.drawn(8, 5), transpose_a=True)))
