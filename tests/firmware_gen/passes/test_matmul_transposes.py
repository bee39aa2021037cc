"""Transposes of operands and of products become flags, or the operands change places."""

from __future__ import annotations

from made import Maker, does_nothing, fires

from firmware_gen.passes.matmul_transposes import matmul_transposes


def test_second_operand():
    make = Maker()
    a, b = make.input(2, 3, 4, 8), make.input(2, 5, 3, 8)
    graph = make.graph(make.matmul(a, make.transpose(b, 0, 2, 3, 1)))
    after = fires(matmul_transposes, graph, ["Transpose", "MatMul"])
    assert after.nodes[0].op.permutation == (0, 2, 1, 3)
    assert after.nodes[1].op.transpose_b


def test_flag_is_taken_back():
    make = Maker()
    graph = make.graph(make.matmul(make.input(4, 8), make.transpose(make.input(8, 5), 1, 0), transpose_b=True))
    after = fires(matmul_transposes, graph, ["Transpose", "MatMul"])
    assert not after.nodes[1].op.transpose_b
    assert after.nodes[0].op.permutation == (0, 1)


def test_first_operand():
    make = Maker()
    graph = make.graph(make.matmul(make.input(2, 8, 4), make.input(2, 8, 5), transpose_a=True))
    after = fires(matmul_transposes, graph, ["Transpose", "MatMul"])
    assert not after.nodes[1].op.transpose_a


def test_transposed_product():
    make = Maker()
    a, b = make.input(2, 3, 4, 8), make.input(3, 5, 8)
    graph = make.graph(make.transpose(make.matmul(a, b, transpose_b=True), 0, 1, 3, 2))
    after = fires(matmul_transposes, graph, ["MatMul"])
    assert after.nodes[0].inputs == (b, a)
    assert (after.nodes[0].op.a_zero_point, after.nodes[0].op.b_zero_point) == (-6, 2)


def test_other_products_stay():
    make = Maker()
    a, b = make.input(2, 4, 8), make.input(2, 5, 8)
    product = make.matmul(a, b, transpose_b=True)
    does_nothing(matmul_transposes, make.graph(product, make.transpose(product, 0, 2, 1)))
    does_nothing(matmul_transposes, make.graph(make.transpose(product, 1, 0, 2)))
    does_nothing(matmul_transposes, make.graph(make.transpose(make.matmul(a, make.input(2, 8, 5)), 0, 2, 1)))
    does_nothing(matmul_transposes, make.graph(make.matmul(make.transpose(b, 1, 0, 2), make.input(5, 8, 3))))
    does_nothing(matmul_transposes, make.graph(make.matmul(a, make.transpose(make.input(8, 2, 5), 1, 0, 2))))
