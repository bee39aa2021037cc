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


APART = {
    "a residual reads it too": lambda x: (y := norm(x), layers.Add(name="add")([y, dense(y, "a", 5)]))[1],
    "an activation reads it": lambda x: dense(layers.ReLU(name="relu")(norm(x)), "a"),
    "it is an output": lambda x: [y := norm(x), dense(y, "a")],
    "a convolution reads it": lambda x: layers.Conv2D(4, (1, 3), name="conv")(norm(x)),
    "the convolution before it has an activation": lambda x: norm(dense(x, "a", activation="relu")),
    "a residual reads the convolution before it": lambda x: (
        y := dense(x, "a"), layers.Add(name="add")([y, norm(y)]))[1],
}


@pytest.mark.parametrize("case", APART)
def test_a_norm_becomes_a_depthwise_convolution_where(case):
    x = image()
    exported = export(Model(x, APART[case](x)))
    layer = exported.get_layer("norm")
    assert norms_of(exported) == [] and type(layer) is layers.DepthwiseConv2D
    assert layer.kernel_size == (1, 1) and layer.use_bias and layer.depth_multiplier == 1


KEPT = {
    "it is behind a dense layer": lambda x: layers.ReLU(name="relu")(norm(dense(x, "a"))),
    "it is behind a convolution": lambda x: layers.ReLU(name="relu")(norm(layers.Conv2D(4, (1, 3), name="conv")(x))),
    "it is over another axis": lambda x: dense(norm(x, axis=2), "a"),
    "it has no scale": lambda x: dense(norm(x, scale=False), "a"),
    "it has no shift": lambda x: dense(norm(x, center=False), "a"),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_norm_stays_where(case):
    x = image()
    assert norms_of(export(Model(x, KEPT[case](x)))) == ["norm"]


@pytest.mark.parametrize("before", ["norm", "nothing"])
def test_an_average_pool_becomes_a_depthwise_convolution(before):
    """With the norm in it that it alone reads."""
    x = image()
    y = norm(x) if before == "norm" else x
    exported = export(Model(x, layers.AveragePooling2D((1, 3), name="pool")(y)))
    layer = exported.get_layer("pool")
    assert type(layer) is layers.DepthwiseConv2D and norms_of(exported) == []
    assert layer.kernel_size == (1, 3) and layer.use_bias == (before == "norm")


POOLS_KEPT = {
    "its ends are averages of fewer": layers.AveragePooling2D((1, 3), padding="same", name="pool"),
    "there are rows": lambda x: layers.AveragePooling2D((1, 3), name="pool")(
        layers.Reshape((7, 5, 1), name="rows")(x)),
}


@pytest.mark.parametrize("case", POOLS_KEPT)
def test_an_average_pool_stays_where(case):
    x = image()
    assert type(export(Model(x, POOLS_KEPT[case](x))).get_layer("pool")) is layers.AveragePooling2D


def test_a_norm_is_not_folded_where_its_reader_is_shared():
    """The second call of the dense layer reads something else."""
    x = image()
    shared = layers.Dense(5, name="a")
    exported = export(Model(x, layers.Add(name="add")([shared(norm(x)), shared(x)])))
    assert type(exported.get_layer("norm")) is layers.DepthwiseConv2D
    assert type(exported.get_layer("a")) is layers.Conv2D


# --- backbones -------------------------------------------------------------------------------------------------
# Behind convolutions, SpeechFormer's merges among them, the converter folds a norm.
BEHIND_CONVOLUTIONS = {
    "conformer": {"frontend/norm1", "frontend/norm2", "block1/conv/depthwise_norm", "block2/conv/depthwise_norm"},
    "convtransformer": {"frontend/norm1", "frontend/norm2", "frontend/norm3"},
    "speechformer": {"stage1/merge/norm", "stage2/merge/norm", "stage3/merge/norm"},
}
# The last norm of a block is read by the next residual, the last of all by the mean over time; of SpeechFormer's, which
# follow each residual, three are read by a pool alone and are in it.
READ_BY_OTHERS = {
    "conformer": {"block1/norm", "block2/norm"},
    "convtransformer": {"head/norm"},
    "speechformer": {f"stage{stage}/{layer}/{part}/norm" for stage, layers_of_stage in enumerate((1, 1, 2, 2), start=1)
                     for layer in range(1, layers_of_stage + 1) for part in ("attention", "ffn1")}
    - {"stage1/1/ffn1/norm", "stage2/1/ffn1/norm", "stage3/2/ffn1/norm"},
}


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_backbone_computes_the_same(arch, kind):
    model = build_model(spec_of(arch, norm=kind))
    exported = export(model)
    assert not any(isinstance(layer, layers.Dense) for layer in exported.layers)
    apart = {layer.name for layer in exported.layers
             if isinstance(layer, layers.DepthwiseConv2D) and layer.name in norms_of(model)}
    if kind == "layer":
        assert not apart and set(norms_of(exported)) <= BEHIND_CONVOLUTIONS[arch]
    else:
        assert apart == READ_BY_OTHERS[arch] and set(norms_of(exported)) == BEHIND_CONVOLUTIONS[arch]
