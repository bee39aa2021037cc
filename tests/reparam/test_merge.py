"""Models that the pass must merge: same outputs, same names, the graph of the model without HRF."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.reparam.certificate import MERGE_ATOL
from tfser.reparam.graph_pass import Merged, merge

layers = keras.layers


@keras.saving.register_keras_serializable(package="tfser_tests")
class Hrf(layers.Dense):
    """A linear layer of training, as a subclass of Dense."""


class Unregistered(layers.Layer):
    """A layer of the user's own, unknown to Keras, with an argument of call()."""

    def call(self, inputs, gain=1.0):
        return inputs * gain


def dense(x, units, name, hrf=0, use_bias=True, **kwargs):
    """A dense layer behind ``hrf`` linear layers of four times its width."""
    for index in range(1, hrf + 1):
        x = Hrf(4 * units, use_bias=use_bias, name=f"{name}/hrf{index}")(x)
    return layers.Dense(units, use_bias=use_bias, name=name, **kwargs)(x)


def randomise(model, seed=0):
    """Weights of unit gain, biases too, so that a lost bias cannot hide behind zeros."""
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(0.5, 1.5, w.shape) / np.sqrt(w.shape[-2] if len(w.shape) > 1 else 4) for w in model.weights]
    model.set_weights([value if "variance" in weight.name else value * rng.choice([-1, 1], weight.shape)
                       for weight, value in zip(model.weights, weights, strict=True)])
    return model


def backbone(hrf, name="small"):
    """Attention, a pointwise pair, norm, residual, two outputs: what a Transformer is made of."""
    x = inputs = keras.Input((6, 8), name="features")
    query, key = dense(x, 8, "block/query", hrf), dense(x, 8, "block/key", hrf, use_bias=False)
    x = layers.Add(name="block/add")([x, layers.Attention(name="block/attention")([query, key])])
    x = layers.BatchNormalization(name="block/norm")(x)
    hidden = dense(x, 12, "block/expand", hrf, activation="relu")
    hidden = layers.Dropout(0.1, name="block/dropout")(hidden)
    x = layers.Add(name="block/add2")([x, dense(hidden, 8, "block/project", hrf)])
    x = Hrf(20, name="head/pointwise/hrf")(x) if hrf else x
    x = layers.Conv1D(5, 1, name="head/pointwise", activation="tanh")(x)
    x = layers.GlobalAveragePooling1D(name="head/mean")(x)
    return keras.Model(inputs, [dense(x, 4, "head/logits", hrf), dense(x, 2, "head/arousal", hrf)], name=name)


def assert_same_outputs(before, after, *shapes, seed=1):
    rng = np.random.default_rng(seed)
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    expected, received = (tf.nest.flatten(model(inputs, training=False)) for model in (before, after))
    for e, r in zip(expected, received, strict=True):
        assert e.shape == r.shape and np.ptp(e.numpy()) > 100 * MERGE_ATOL
        np.testing.assert_allclose(r.numpy(), e.numpy(), rtol=0, atol=MERGE_ATOL)


@pytest.mark.parametrize("hrf", [1, 2])
def test_an_hrf_model_becomes_the_model_without_hrf(hrf):
    model, plain = randomise(backbone(hrf)), backbone(0)
    result = merge(model)
    assert result.model.get_config() == plain.get_config()
    assert [weight.name for weight in result.model.weights] == [weight.name for weight in plain.weights]
    assert result.model.output_names == plain.output_names
    assert result.model.count_params() == plain.count_params() < model.count_params()
    assert_same_outputs(model, result.model, (3, 6, 8))


def test_the_records_name_the_chains_and_their_widths():
    result = merge(backbone(2))
    assert result.merged[0] == Merged(("block/query/hrf1", "block/query/hrf2", "block/query"), (8, 32, 32, 8))
    assert [chain.layers[-1] for chain in result.merged] == [
        "block/query", "block/key", "block/expand", "block/project", "head/pointwise", "head/logits", "head/arousal"]


def test_a_model_without_hrf_comes_back_equal():
    plain = randomise(backbone(0))
    result = merge(plain)
    assert result.merged == () and result.model is not plain
    assert result.model.get_config() == plain.get_config()
    for before, after in zip(plain.get_weights(), result.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_merging_twice_changes_nothing_more():
    once = merge(randomise(backbone(2)))
    twice = merge(once.model)
    assert twice.merged == () and once.merged
    assert twice.model.get_config() == once.model.get_config()
    for before, after in zip(once.model.get_weights(), twice.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_input_model_is_not_modified():
    model = randomise(backbone(1))
    config, weights = copy.deepcopy(model.get_config()), model.get_weights()
    merge(model)
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), depth=st.integers(2, 4), seed=st.integers(0, 1000))
def test_random_chains_fold_into_their_last_layer(data, depth, seed):
    d_out = data.draw(st.integers(1, 6))
    widths = [*data.draw(st.lists(st.integers(d_out, 24), min_size=depth - 1, max_size=depth - 1)), d_out]
    biased = data.draw(st.lists(st.booleans(), min_size=depth, max_size=depth))
    pointwise = data.draw(st.lists(st.booleans(), min_size=depth, max_size=depth))
    x = inputs = keras.Input((5, data.draw(st.integers(1, 8))))
    for index, (units, bias, conv) in enumerate(zip(widths, biased, pointwise, strict=True)):
        name = f"chain/{index}"
        x = (layers.Conv1D(units, 1, use_bias=bias, name=name) if conv
             else layers.Dense(units, use_bias=bias, name=name))(x)
    model = randomise(keras.Model(inputs, x), seed)
    result = merge(model)
    assert [chain.layers for chain in result.merged] == [tuple(f"chain/{index}" for index in range(depth))]
    last = result.model.layers[-1]
    assert (type(last), last.name, last.units if not pointwise[-1] else last.filters, last.use_bias) == (
        layers.Conv1D if pointwise[-1] else layers.Dense, f"chain/{depth - 1}", d_out, any(biased))
    assert len(result.model.layers) == 2
    assert_same_outputs(model, result.model, (2, *inputs.shape[1:]))


def test_identity_layers_between_vanish_and_others_stay():
    x = inputs = keras.Input((6,))
    x = layers.Dropout(0.0, name="before")(x)
    x = layers.Dense(9, name="a")(x)
    x = layers.Activation("linear", name="identity")(x)
    x = layers.Dropout(0.0, name="off")(x)
    x = layers.Reshape((1, 4), name="reshape")(layers.Dense(4, name="b")(x))
    x = layers.SpatialDropout1D(0.0, name="spatial")(x)
    model = randomise(keras.Model(inputs, layers.Dense(3, name="c")(x)))
    result = merge(model)
    assert [layer.name for layer in result.model.layers[1:]] == ["before", "b", "reshape", "spatial", "c"]
    assert_same_outputs(model, result.model, (4, 6))


def test_a_sequential_model_stays_one():
    def build(hrf):
        front = [Hrf(16, name="a/hrf1")] if hrf else []
        return keras.Sequential([keras.Input((6,), name="x"), *front, layers.Dense(4, "relu", name="a"),
                                 layers.Dense(3, name="logits")], name="plain")

    model = randomise(build(True))
    result = merge(model)
    assert isinstance(result.model, keras.Sequential)
    assert result.model.get_config() == build(False).get_config()
    assert_same_outputs(model, result.model, (4, 6))


@pytest.mark.parametrize("start", ["input_shape", "build", "call"])
def test_a_sequential_model_without_an_input_layer(start):
    first = layers.Dense(8, name="a", **({"input_shape": (5,)} if start == "input_shape" else {}))
    model = keras.Sequential([first, layers.Dense(3, name="b")])
    if start == "build":
        model.build((None, 5))
    elif start == "call":
        model(np.zeros((1, 5), np.float32))
    result = merge(randomise(model))
    assert [layer.name for layer in result.model.layers] == ["b"]
    assert_same_outputs(model, result.model, (4, 5))


@pytest.mark.parametrize("calls", [1, 2])
def test_nested_models_are_merged_each_for_itself(calls):
    inner_in = keras.Input((8,), name="inner_in")
    inner = keras.Model(inner_in, dense(inner_in, 5, "ffn/up", 1, activation="relu"), name="inner")
    middle_in = keras.Input((8,), name="middle_in")
    middle = keras.Model(middle_in, dense(inner(middle_in), 8, "down", 1), name="middle")
    tail = keras.Sequential([keras.Input((8,)), Hrf(12, name="one"), layers.Dense(3, name="two")], name="tail")
    x = inputs = keras.Input((8,), name="x")
    for _ in range(calls):
        x = middle(x)
    model = randomise(keras.Model(inputs, tail(x), name="outer"))
    result = merge(model)
    assert [chain.layers for chain in result.merged] == [
        ("middle/down/hrf1", "middle/down"), ("middle/inner/ffn/up/hrf1", "middle/inner/ffn/up"),
        ("tail/one", "tail/two")]
    assert [layer.name for layer in result.model.get_layer("tail").layers] == ["two"]
    assert_same_outputs(model, result.model, (4, 8))


def test_multiple_inputs_and_named_outputs_keep_their_order():
    left, right = keras.Input((4,), name="z_left"), keras.Input((6,), name="a_right")
    x = layers.Concatenate(name="join")([dense(left, 5, "left", 1), dense(right, 5, "right", 2)])
    outputs = {"z": dense(x, 3, "z", 1), "a": dense(x, 2, "a", 1, activation="softmax")}
    model = randomise(keras.Model([left, right], outputs))
    result = merge(model)
    assert result.model.input_names == ["z_left", "a_right"]
    assert list(result.model.output) == ["z", "a"] == list(model.output)
    assert len(result.merged) == 4
    assert_same_outputs(model, result.model, (4, 4), (4, 6))


def test_inputs_by_name_and_call_arguments_survive():
    inputs = {"features": keras.Input((5, 6), name="features"), "mask": keras.Input((5,), name="mask", dtype="bool")}
    query = dense(inputs["features"], 6, "query", 1)
    x = layers.MultiHeadAttention(2, 3, name="mha")(query, value=dense(inputs["features"], 6, "value", 1),
                                                    attention_mask=inputs["mask"][:, tf.newaxis])
    x = Unregistered(name="gain")(x, gain=0.5) + layers.Lambda(lambda t: t * 2.0, name="double")(query)
    model = randomise(keras.Model(inputs, dense(x, 3, "logits", 1)))
    result = merge(model)
    assert [chain.layers[-1] for chain in result.merged] == ["query", "value", "logits"]
    rng = np.random.default_rng(2)
    batch = {"features": rng.standard_normal((2, 5, 6)).astype(np.float32), "mask": rng.random((2, 5)) < 0.6}
    np.testing.assert_allclose(result.model(batch), model(batch), rtol=0, atol=MERGE_ATOL)


def test_trainable_flags_dtype_and_state_are_kept():
    x = inputs = keras.Input((6,), dtype="float64", name="x")
    x = layers.BatchNormalization(name="norm", dtype="float64")(x)
    x = layers.Dense(12, name="a", dtype="float64")(x)
    x = layers.Dense(3, name="b", dtype="float64", trainable=False)(x)
    model = keras.Model(inputs, x)
    model.get_layer("norm").trainable = False
    randomise(model)
    result = merge(model)
    assert not result.model.get_layer("b").trainable and not result.model.get_layer("norm").trainable
    assert {weight.dtype for weight in result.model.weights} == {tf.float64}
    batch = np.random.default_rng(0).standard_normal((4, 6))
    np.testing.assert_allclose(result.model(batch), model(batch), rtol=1e-12, atol=1e-12)


def test_training_keeps_the_merge_exact():
    model = backbone(2)
    model.compile(keras.optimizers.Adam(1e-2), loss=["mse", "mse"])
    rng = np.random.default_rng(3)
    model.fit(rng.standard_normal((32, 6, 8)), [rng.standard_normal((32, 4)), rng.standard_normal((32, 2))],
              epochs=3, batch_size=8, verbose=0)
    result = merge(model)
    assert result.model.optimizer is None
    assert_same_outputs(model, result.model, (16, 6, 8))


def test_weights_tied_across_nesting_levels_are_both_right():
    tied = layers.Dense(6, name="tied")
    inner_in = keras.Input((12,), name="inner_in")
    inner = keras.Model(inner_in, tied(inner_in), name="inner")
    x = inputs = keras.Input((12,), name="x")
    x = layers.Concatenate(name="double")([inner(x), tied(layers.Dense(12, name="first")(x))])
    model = randomise(keras.Model(inputs, x))
    result = merge(model)
    assert [chain.layers for chain in result.merged] == [("first", "tied")]
    assert_same_outputs(model, result.model, (4, 12))


def test_a_call_of_the_layer_in_another_model_does_not_count():
    x = inputs = keras.Input((6,))
    middle = layers.Dense(8, name="a")(x)
    model = randomise(keras.Model(inputs, layers.Dense(3, name="b")(middle)))
    keras.Model(inputs, middle)
    layers.ReLU()(middle)
    result = merge(model)
    assert [chain.layers for chain in result.merged] == [("a", "b")]
    assert_same_outputs(model, result.model, (4, 6))


def test_a_subclass_of_model_with_a_graph_keeps_its_type():
    class Classifier(keras.Model):
        """Functional, with a type of its own."""

    inputs = keras.Input((6,))
    model = randomise(Classifier(inputs, dense(inputs, 3, "logits", 1)))
    result = merge(model)
    assert type(result.model) is Classifier and len(result.merged) == 1
    assert_same_outputs(model, result.model, (4, 6))


def test_models_without_a_graph_are_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    for model in (Subclassed(), keras.Sequential([layers.Dense(3)])):
        with pytest.raises(InputError, match="without a known graph") as caught:
            merge(model)
        assert caught.value.code == "TF-MERGE-05"


class Forgetful(layers.Layer):
    """A layer whose config lacks what its constructor needs."""

    def __init__(self, gain, name="forgetful"):
        super().__init__(name=name)
        self.gain = gain

    def call(self, inputs):
        return inputs * self.gain

    def get_config(self):
        return {"name": self.name}


@pytest.mark.parametrize("layer", [Forgetful(2.0), layers.Activation(lambda x: x)])
def test_a_layer_that_keras_cannot_rebuild_is_one_clear_error(layer):
    inputs = keras.Input((4,))
    with pytest.raises(InputError, match="cannot be rebuilt from its config") as caught:
        merge(keras.Model(inputs, layer(inputs)))
    assert caught.value.code == "TF-MERGE-04"
