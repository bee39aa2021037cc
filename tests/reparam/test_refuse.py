"""Adjacent linear layers that the pass must leave alone, each with the reason a user reads."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.keras import keras, tf
from tfser.reparam.chains import Refused
from tfser.reparam.graph_pass import merge

layers = keras.layers


class Squared(layers.Dense):
    """Looks like a Dense layer and is not linear."""

    def call(self, inputs):
        return super().call(inputs) ** 2


class HalfDropout(layers.Dropout):
    """Says rate 0 and still halves."""

    def call(self, inputs, training=None):
        return inputs * 0.5


class RmsNorm(layers.Layer):
    """A normalisation of the user's own."""

    def call(self, inputs):
        return inputs * tf.math.rsqrt(tf.reduce_mean(inputs**2, axis=-1, keepdims=True))


class Doubled(layers.Layer):
    """A layer that the pass knows nothing about."""

    def call(self, inputs):
        return inputs * 2.0


def pair(between=None, first=None, second=None):
    """Input (5, 6) -> Dense 'a' (8) -> between -> Dense 'b' (3)."""
    x = inputs = keras.Input((5, 6), name="x")
    x = (first or layers.Dense(8, name="a"))(x)
    for layer in between or []:
        x = layer(x)
    return keras.Model(inputs, (second or layers.Dense(3, name="b"))(x))


def assert_refused(model, *records, merged=()):
    """The records, and a model that still is the one that came in."""
    result = merge(model)
    assert result.refused == tuple(Refused(names, reason) for names, reason in records)
    assert tuple(chain.layers for chain in result.merged) == merged
    if not merged:
        assert result.model.get_config() == model.get_config()
        for before, after in zip(model.get_weights(), result.model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("between", "reason"), [
    (layers.Activation("relu", name="act"), "activation 'relu' between them ('act')"),
    (layers.LeakyReLU(name="act"), "activation 'LeakyReLU' between them ('act')"),
    (layers.Softmax(name="act"), "activation 'Softmax' between them ('act')"),
    (layers.Dropout(0.1, name="drop"), "dropout that is active (rate 0.1) between them ('drop')"),
    (layers.SpatialDropout1D(0.2, name="drop"), "dropout that is active (rate 0.2) between them ('drop')"),
    (layers.GaussianDropout(0.3, name="drop"), "dropout that is active (rate 0.3) between them ('drop')"),
    (HalfDropout(0.0, name="drop"), "dropout that is active (rate 0.0) between them ('drop')"),
    (layers.BatchNormalization(name="norm"), "normalisation BatchNormalization between them ('norm')"),
    (layers.LayerNormalization(name="norm"), "normalisation LayerNormalization between them ('norm')"),
    (RmsNorm(name="norm"), "normalisation RmsNorm between them ('norm')"),
])
def test_what_is_not_the_identity_between_two_linear_layers(between, reason):
    assert_refused(pair([between]), (("a", "b"), reason))


@pytest.mark.parametrize(("function", "name"), [
    (tf.nn.relu, "nn.relu"), (tf.nn.silu, "nn.silu"), (tf.nn.gelu, "nn.gelu"), (tf.nn.softmax, "nn.softmax"),
    (tf.sigmoid, "math.sigmoid"), (tf.tanh, "math.tanh"), (keras.activations.swish, "nn.silu"),
])
def test_an_activation_that_is_a_plain_function(function, name):
    model = pair([function])
    operation = model.layers[2].name
    assert_refused(model, (("a", "b"), f"activation {name!r} between them ({operation!r})"))


def test_an_activation_of_the_first_layer():
    model = pair(first=layers.Dense(8, "swish", name="a"))
    assert_refused(model, (("a", "b"), "activation 'swish' of 'a'"))


def test_a_layer_that_is_called_twice():
    shared = layers.Dense(6, name="shared")
    x = inputs = keras.Input((6,))
    x = shared(layers.Dense(6, name="a")(shared(x)))
    reason = "'shared' is a shared layer, called 2 times"
    assert_refused(keras.Model(inputs, x), (("a", "shared"), reason), (("shared", "a"), reason))


def test_an_identity_that_is_called_twice():
    identity = layers.Activation("linear", name="identity")
    x = inputs = keras.Input((6,))
    x = layers.Dense(3, name="b")(identity(layers.Dense(8, name="a")(x)))
    assert_refused(keras.Model(inputs, identity(x)),
                   (("a", "b"), "'identity' is a shared layer, called 2 times"))


@pytest.mark.parametrize("through", [False, True])
def test_a_second_consumer(through):
    inputs = keras.Input((6,))
    middle = layers.Dense(8, name="a")(inputs)
    middle = layers.Dropout(0.0, name="off")(middle) if through else middle
    model = keras.Model(inputs, [layers.Dense(3, name="b")(middle), layers.ReLU(name="other")(middle)])
    assert_refused(model, (("a", "b"), f"{'off' if through else 'a'!r} has a second consumer"))


def test_both_consumers_linear():
    inputs = keras.Input((6,))
    middle = layers.Dense(8, name="a")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, name="b")(middle), layers.Dense(3, name="c")(middle)])
    reason = "'a' has a second consumer"
    assert_refused(model, (("a", "b"), reason), (("a", "c"), reason))


def test_a_consumer_through_a_call_argument():
    inputs = keras.Input((5, 8))
    middle = layers.Dense(8, name="a")(inputs)
    context = layers.MultiHeadAttention(2, 4, name="mha")(inputs, value=middle)
    model = keras.Model(inputs, layers.Add()([layers.Dense(8, name="b")(middle), context]))
    assert_refused(model, (("a", "b"), "'a' has a second consumer"))


def test_an_intermediate_that_is_an_output():
    inputs = keras.Input((6,))
    middle = layers.Dense(8, name="a")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, name="b")(middle), middle])
    assert_refused(model, (("a", "b"), "'a' is an output of the model"))


def test_an_intermediate_that_a_symbolic_loss_reads():
    inputs = keras.Input((6,))
    middle = layers.Dense(8, name="a")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="b")(middle))
    model.add_loss(tf.reduce_mean(middle))
    result = merge(model)
    assert result.refused == (Refused(("a", "b"), "'a' has a second consumer"),) and not result.merged


@pytest.mark.parametrize(("first", "second", "reason"), [
    ({"kernel_constraint": "non_neg"}, {}, "kernel constraint NonNeg on 'a'"),
    ({"bias_constraint": keras.constraints.MaxNorm(1)}, {}, "bias constraint MaxNorm on 'a'"),
    ({}, {"kernel_constraint": "unit_norm"}, "kernel constraint UnitNorm on 'b'"),
])
def test_a_constraint(first, second, reason):
    model = pair(first=layers.Dense(8, name="a", **first), second=layers.Dense(3, name="b", **second))
    assert_refused(model, (("a", "b"), reason))


@pytest.mark.parametrize(("settings", "text"), [
    ({"kernel_size": 3}, "kernel 3, stride 1, groups 1, channels_last"),
    ({"kernel_size": 1, "strides": 2}, "kernel 1, stride 2, groups 1, channels_last"),
    ({"kernel_size": 1, "groups": 2}, "kernel 1, stride 1, groups 2, channels_last"),
    ({"kernel_size": 1, "data_format": "channels_first"}, "kernel 1, stride 1, groups 1, channels_first"),
])
def test_a_convolution_that_is_not_pointwise(settings, text):
    model = pair(second=layers.Conv1D(4, name="b", **settings))
    assert_refused(model, (("a", "b"), f"'b' is a Conv1D that is not pointwise ({text})"))


def test_a_subclass_that_computes_something_else():
    assert_refused(pair(first=Squared(8, name="a")), (("a", "b"), "'a' (Squared) replaces the computation of Dense"))
    model = pair(second=layers.Conv1DTranspose(4, 1, name="b"))
    assert_refused(model, (("a", "b"), "'b' (Conv1DTranspose) replaces the computation of Conv1D"))


def test_a_wrapped_layer():
    model = pair(first=layers.TimeDistributed(layers.Dense(8), name="a"))
    assert_refused(model, (("a", "b"), "'a' is wrapped by TimeDistributed"))


def test_a_quantize_wrapper():
    """After quantisation-aware training each layer rounds: a chain of them is not linear."""
    import tensorflow_model_optimization as tfmot

    model = tfmot.quantization.keras.quantize_model(pair())
    wrapped = "'quant_a' is wrapped by QuantizeWrapperV2; 'quant_b' is wrapped by QuantizeWrapperV2"
    with tfmot.quantization.keras.quantize_scope():
        result = merge(model)
    assert result.refused == (Refused(("quant_a", "quant_b"), wrapped),) and not result.merged


@pytest.mark.parametrize(("first", "second", "text"), [
    ("mixed_float16", "mixed_float16", "mixed_float16"),
    ("float16", "float16", "float16"),
    ("float32", "float64", "float32 and float64"),
])
def test_dtypes_that_round_between_the_layers(first, second, text):
    model = pair(first=layers.Dense(8, name="a", dtype=first), second=layers.Dense(3, name="b", dtype=second))
    assert_refused(model, (("a", "b"), f"dtype {text}, where float32 or float64 throughout folds exactly"))


def test_an_identity_that_rounds():
    model = pair([layers.Activation("linear", dtype="float16", name="cast")])
    reason = "dtype float16 and float32, where float32 or float64 throughout folds exactly"
    assert_refused(model, (("a", "b"), reason))


def test_a_bottleneck_whose_merge_would_add_parameters():
    model = pair(first=layers.Dense(1, name="a"), second=layers.Dense(7, name="b"))
    assert_refused(model, (("a", "b"), "merging would add parameters: 21 would become 49"))


def test_a_chain_is_cut_at_its_bottleneck_alone():
    x = inputs = keras.Input((12,))
    for name, units in (("a/hrf1", 8), ("a", 2), ("b/hrf1", 48), ("b", 12)):
        x = layers.Dense(units, name=name)(x)
    reason = "merging would add parameters: 62 would become 156"
    assert_refused(keras.Model(inputs, x), (("a/hrf1", "a", "b/hrf1", "b"), reason),
                   merged=(("a/hrf1", "a"), ("b/hrf1", "b")))


def test_every_reason_is_given():
    model = pair([layers.BatchNormalization(name="norm")], first=layers.Dense(8, "relu", name="a"))
    assert_refused(model, (("a", "b"), "activation 'relu' of 'a'; "
                                       "normalisation BatchNormalization between them ('norm')"))


def test_a_hindrance_elsewhere_does_not_stop_a_chain():
    x = inputs = keras.Input((6,))
    for name, units, activation in (("a", 9, None), ("b", 8, "relu"), ("c", 7, None), ("d", 3, None)):
        x = layers.Dense(units, activation, name=name)(x)
    assert_refused(keras.Model(inputs, x), (("b", "c"), "activation 'relu' of 'b'"), merged=(("a", "b"), ("c", "d")))


def test_unrelated_layers_between_are_not_adjacent():
    """An addition, a reshape or an unknown layer separates: nothing to merge and nothing to refuse."""
    x = inputs = keras.Input((6,))
    x = layers.Dense(6, name="a")(x)
    x = layers.Dense(6, name="b")(layers.Add()([x, inputs]))
    x = layers.Dense(6, name="c")(layers.Reshape((6,))(x))
    x = layers.Dense(6, name="d")(x * 2.0)
    assert_refused(keras.Model(inputs, layers.Dense(6, name="e")(Doubled(name="double")(x))))


def test_a_refusal_in_a_nested_model_is_named_by_its_path():
    inputs = keras.Input((5, 6))
    nested = pair([layers.ReLU(name="act")])
    names = (f"{nested.name}/a", f"{nested.name}/b")
    assert_refused(keras.Model(inputs, nested(inputs)), (names, "activation 'ReLU' between them ('act')"))
