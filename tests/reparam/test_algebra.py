"""Folding affine layers, against homogeneous matrices; the split, against every possible split."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfser.errors import InputError
from tfser.reparam.algebra import cheapest_split, fold, parameter_count

WIDTHS = st.lists(st.integers(1, 12), min_size=3, max_size=5)


def affine(rng: np.random.Generator, widths: list[int], biased: list[bool]) -> list:
    return [(rng.standard_normal(shape).astype(np.float32),
             rng.standard_normal(shape[1]).astype(np.float32) if bias else None)
            for shape, bias in zip(itertools.pairwise(widths), biased, strict=True)]


def homogeneous(kernel: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """x @ kernel + bias as one matrix for (x, 1)."""
    d_in, d_out = kernel.shape
    matrix = np.zeros((d_in + 1, d_out + 1))
    matrix[:d_in, :d_out], matrix[d_in, d_out] = kernel, 1
    if bias is not None:
        matrix[d_in, :d_out] = bias
    return matrix


@given(WIDTHS, st.data(), st.integers(0, 2**32 - 1))
def test_fold_is_the_product_of_the_homogeneous_matrices(widths, data, seed):
    biased = data.draw(st.lists(st.booleans(), min_size=len(widths) - 1, max_size=len(widths) - 1))
    layers = affine(np.random.default_rng(seed), widths, biased)
    kernel, bias = fold(layers)
    assert (bias is not None) == any(biased)
    product = np.linalg.multi_dot([homogeneous(*layer) for layer in layers])
    np.testing.assert_allclose(homogeneous(kernel, bias), product, rtol=1e-12, atol=1e-12)
    assert kernel.dtype == np.float64


def test_fold_works_in_float64():
    """1 + 2^-30 has no float32: a float32 fold loses the difference that the last layer amplifies."""
    tiny = np.float32(2.0**-30)
    first = (np.array([[1, tiny]], np.float32), None)
    second = (np.array([[1], [1]], np.float32), np.array([-1], np.float32))
    third = (np.array([[2.0**30]], np.float32), None)
    kernel, bias = fold([first, second, third])
    assert kernel[0, 0] == 2.0**30 + 1
    assert bias is not None and bias[0] == -(2.0**30)


def test_fold_leaves_its_arguments_alone():
    layers = affine(np.random.default_rng(0), [3, 4, 2], [True, True])
    before = [array.copy() for layer in layers for array in layer]
    fold(layers)
    for array, copy in zip((a for layer in layers for a in layer), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(("layers", "code", "message"), [
    ([(np.ones((2, 3)), None)], "TF-MERGE-01", "chain of 1 linear layers"),
    ([(np.ones((1, 2, 3)), None), (np.ones((3, 3)), None)], "TF-MERGE-02", r"layer 1 with kernel \(1, 2, 3\)"),
    ([(np.ones((2, 3)), None), (np.ones((3, 4)), np.ones(3))], "TF-MERGE-02", r"layer 2 .* bias \(3,\)"),
    ([(np.ones((2, 3)), None), (np.ones((4, 2)), None)], "TF-MERGE-03", "layer 2 reads 4 values, .* writes 3"),
])
def test_fold_refuses(layers, code, message):
    with pytest.raises(InputError, match=message) as caught:
        fold(layers)
    assert caught.value.code == code


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.data())
@settings(max_examples=200)
def test_cheapest_split_beats_every_other_split(widths, data):
    layers = len(widths) - 1
    biased = data.draw(st.lists(st.booleans(), min_size=layers, max_size=layers))

    def cost(spans):
        return sum(parameter_count(widths[a:b + 1], biased[a:b]) for a, b in spans), len(spans)

    every_split = [list(itertools.pairwise([0, *cuts, layers]))
                   for size in range(layers) for cuts in itertools.combinations(range(1, layers), size)]
    chosen = cheapest_split(widths, biased)
    assert chosen in every_split
    assert cost(chosen) == min(map(cost, every_split))


@given(WIDTHS, st.integers(2, 8), st.data())
def test_hrf_widths_are_never_a_place_to_cut(widths, ratio, data):
    """HRF before each layer leaves the split where it was: HRF off gives the same deployed graph."""
    biased = data.draw(st.lists(st.booleans(), min_size=len(widths) - 1, max_size=len(widths) - 1))
    with_hrf = [widths[0], *(w for width in widths[1:] for w in (ratio * width, width))]
    spans = cheapest_split(with_hrf, [b for b in biased for _ in range(2)])
    assert spans == [(2 * start, 2 * stop) for start, stop in cheapest_split(widths, biased)]
