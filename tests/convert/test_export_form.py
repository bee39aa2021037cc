"""The form that converts best computes the same, and folds a norm only where nothing else reads it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from random_models import clips, randomise, spec_of

from tfser.convert.export_form import export_form
from tfser.keras import keras
from tfser.models.build import build_model
from tfser.spec import ARCHITECTURES, NORMS

layers = keras.layers
Model = keras.Model

EXPORT_ATOL = 1e-5  # float32: a norm and a dense layer in one step, on outputs of unit scale


def norm(x, name="norm", **kwargs):
    return layers.BatchNormalization(name=name, **kwargs)(x)


def dense(x, name, units=6, **kwargs):
    return layers.Dense(units, name=name, **kwargs)(x)


def image(width=5):
    return keras.Input((1, 7, width), name="x")


def norms_of(model):
    return [layer.name for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def export(model):
    """The exported form of a randomised model, after what holds for every one of them."""
    randomise(model)
    config, weights = copy.deepcopy(model.get_config()), model.get_weights()
    exported = export_form(model)
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert [layer.name for layer in exported.layers] == [layer.name for layer in model.layers]
    assert exported.output_names == model.output_names

    x = clips(model, 4, seed=2)
    for expected, received in zip(_outputs(model, x), _outputs(exported, x), strict=True):
        assert received.shape == expected.shape and np.ptp(expected) > 1000 * EXPORT_ATOL
        np.testing.assert_allclose(received, expected, rtol=0, atol=EXPORT_ATOL)
    return exported


def _outputs(model, x):
    outputs = model(x, training=False)
    return [output.numpy() for output in (outputs if isinstance(outputs, list) else [outputs])]


# --- dense layers ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_dense_layer_over_an_image_becomes_a_pointwise_convolution(use_bias):
    x = image()
    exported = export(Model(x, dense(x, "a", use_bias=use_bias, activation="relu")))
    layer = exported.get_layer("a")
    assert type(layer) is layers.Conv2D
    assert (layer.kernel_size, layer.filters, layer.use_bias) == ((1, 1), 6, use_bias)
    assert layer.activation is keras.activations.relu


def test_a_dense_layer_over_anything_else_stays():
    x = keras.Input((7, 5), name="x")
    exported = export(Model(x, dense(layers.Flatten(name="flat")(dense(norm(x), "a")), "b")))
    assert {type(exported.get_layer(name)) for name in "ab"} == {layers.Dense}
    assert norms_of(exported) == ["norm"]


# --- folding ---------------------------------------------------------------------------------------------------
def test_a_norm_is_folded_exactly():
    """The folded weights are those of the formula in float64, to the last bit of float32."""
    x = image()
    model = Model(x, dense(norm(x), "a"))
    folded = export(model)
    assert norms_of(folded) == []
    gamma, beta, mean, variance = (w.astype(np.float64) for w in model.get_layer("norm").get_weights())
    kernel, bias = (w.astype(np.float64) for w in model.get_layer("a").get_weights())
    scale = gamma / np.sqrt(variance + model.get_layer("norm").epsilon)
    received = folded.get_layer("a").get_weights()
    np.testing.assert_array_equal(received[0][0, 0], (np.diag(scale) @ kernel).astype(np.float32))
    np.testing.assert_allclose(received[1], bias + (beta - mean * scale) @ kernel, rtol=1e-7)


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_norm_folds_into_every_layer_that_reads_it(use_bias):
    x = image()
    y = norm(x)
    heads = [dense(y, name, use_bias=use_bias, activation=activation)
             for name, activation in (("query", None), ("key", None), ("gate", "sigmoid"))]
    exported = export(Model(x, layers.Concatenate(name="join")(heads)))
    assert norms_of(exported) == []
    assert all(exported.get_layer(name).use_bias for name in ("query", "key", "gate"))


def test_norms_in_a_row_of_layers_each_fold_into_the_next():
    x = image()
    exported = export(Model(x, dense(norm(dense(norm(x, "norm1"), "a"), "norm2"), "b")))
    assert norms_of(exported) == []


KEPT = {
    "a residual reads it too": lambda x: (y := norm(x), layers.Add(name="add")([y, dense(y, "a", 5)]))[1],
    "an activation reads it": lambda x: dense(layers.ReLU(name="relu")(norm(x)), "a"),
    "it is an output": lambda x: [y := norm(x), dense(y, "a")],
    "a convolution reads it": lambda x: layers.Conv2D(4, (1, 3), name="conv")(norm(x)),
    "it is over another axis": lambda x: dense(norm(x, axis=2), "a"),
    "it has no scale": lambda x: dense(norm(x, scale=False), "a"),
    "it has no shift": lambda x: dense(norm(x, center=False), "a"),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_norm_is_not_folded_where(case):
    x = image()
    assert norms_of(export(Model(x, KEPT[case](x)))) == ["norm"]


def test_a_norm_is_not_folded_where_its_reader_is_shared():
    """The second call of the dense layer reads something else."""
    x = image()
    shared = layers.Dense(5, name="a")
    exported = export(Model(x, layers.Add(name="add")([shared(norm(x)), shared(x)])))
    assert norms_of(exported) == ["norm"] and type(exported.get_layer("a")) is layers.Conv2D


# --- backbones -------------------------------------------------------------------------------------------------
FRONTENDS = {"frontend/norm1", "frontend/norm2", "frontend/norm3", "block1/conv/depthwise_norm",
             "block2/conv/depthwise_norm"}  # behind convolutions: the converter folds these
# The last norm of a block is read by the next residual, the last of all by the mean over time.
READ_BY_OTHERS = {"conformer": {"block1/norm", "block2/norm"}, "convtransformer": {"head/norm"}}


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_backbone_computes_the_same(arch, kind):
    model = build_model(spec_of(arch, norm=kind))
    exported = export(model)
    assert not any(isinstance(layer, layers.Dense) for layer in exported.layers)
    left = set(norms_of(exported)) - FRONTENDS
    if kind == "layer":
        assert left == set()
    elif arch == "speechformer":  # post-norm: a residual, a pool or the mean reads each of them
        assert left == set(norms_of(model)) and len(left) == 15
    else:
        assert left == READ_BY_OTHERS[arch]
