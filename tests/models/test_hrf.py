"""HRF layers: linear by construction, named after what they widen, gone from nothing but training."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.errors import InputError
from tfser.keras import keras
from tfser.models.hrf import HighRankFactorization, dense, inner_width
from tfser.models.layers import FullyConnected
from tfser.spec import HRF_DEPTHS, HRF_RATIOS, LOW_RANK_RATIOS, HrfSpec


def built(hrf, units=6, **kwargs):
    """The dense layers of ``dense`` over an input of width 5, first to last."""
    x = keras.Input((1, 3, 5))
    return keras.Model(x, dense(x, units, "block1/ffn1/expand", hrf, **kwargs)).layers[1:]


@pytest.mark.parametrize("activation", ["relu", keras.activations.swish])
def test_an_activation_is_refused(activation):
    with pytest.raises(InputError, match="TF-HRF-01") as raised:
        HighRankFactorization(8, activation=activation, name="block1/ffn1/expand/hrf1")
    assert "'block1/ffn1/expand/hrf1'" in raised.value.received
    assert "after the dense layer" in raised.value.fix


@pytest.mark.parametrize("activation", [None, "linear"])
def test_no_activation_is_accepted(activation):
    layer = HighRankFactorization(8, activation=activation, use_bias=False, name="a/hrf1")
    again = HighRankFactorization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("depth", HRF_DEPTHS)
@pytest.mark.parametrize("ratio", HRF_RATIOS)
def test_names_and_widths(ratio, depth):
    *inner, last = built(HrfSpec(ratio, depth), units=6)
    assert [layer.name for layer in inner] == [f"block1/ffn1/expand/hrf{i}" for i in range(1, depth)]
    assert [layer.units for layer in inner] == [6 * ratio] * (depth - 1)
    assert all(type(layer) is HighRankFactorization for layer in inner)
    assert (last.name, last.units, type(last)) == ("block1/ffn1/expand", 6, FullyConnected)


@pytest.mark.parametrize("units", [2, 6, 40])
@pytest.mark.parametrize("ratio", LOW_RANK_RATIOS)
def test_the_low_rank_control_reduces_the_rank_and_hrf_does_not(ratio, units):
    """Of the product of the kernels, against the most that the dense layer alone can have; the input is 5 wide."""
    for hrf, reduced in ((HrfSpec(ratio, 3), True), (HrfSpec(2, 3), False)):
        layers = built(hrf, units=units)
        product = np.linalg.multi_dot([layer.kernel.numpy().astype(np.float64) for layer in layers])
        assert (np.linalg.matrix_rank(product) < min(5, units)) == reduced
        assert [layer.units for layer in layers[:-1]] == [inner_width(hrf.ratio, 5, units)] * 2


def test_without_hrf_there_is_the_same_dense_layer_alone():
    (alone,) = built(None, activation="tanh")
    *_, last = built(HrfSpec(2, 3), activation="tanh")
    assert alone.get_config() == last.get_config()
    assert alone.activation is keras.activations.tanh


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_bias_is_on_all_of_them_or_on_none(use_bias):
    assert [layer.use_bias for layer in built(HrfSpec(2, 3), use_bias=use_bias)] == [use_bias] * 3


def test_the_start_is_an_isometry():
    """What the HRF layer makes of a vector has its length, so the pair starts like the dense layer alone."""
    first, second, _ = built(HrfSpec(4, 3), units=6)
    for kernel in (first.kernel.numpy(), second.kernel.numpy()):
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(kernel.shape[0]), atol=1e-5)


def test_the_start_of_the_dense_layer_is_its_own():
    *inner, last = built(HrfSpec(2, 2), kernel_initializer="zeros")
    assert not last.kernel.numpy().any()
    assert all(layer.kernel.numpy().any() for layer in inner)
