"""Every layer of one operation, through one harness: its configuration, shape, type, weights and values."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from random_models import spec_of

from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.models import layers
from tfser.models.blocks import NORM_EPSILON, Builder, layer_norm
from tfser.models.layers import (
    AddConstant,
    FullyConnected,
    HardSwish,
    MatMul,
    Mean,
    MergeHeads,
    Rsqrt,
    Scale,
    Shift,
    SinusoidalPositions,
    SplitHeads,
    activate,
)
from tfser.spec import ACTIVATIONS

LAYER_ATOL = 2e-6  # one operation in float32 on data of some units
NORM_ATOL = 1e-5  # nine of them, in another order than Keras's own layer


def split_heads(x, heads, window):
    """Frame by frame and head by head, as the docstring draws it."""
    batch, _, frames, width = x.shape
    out = np.empty((batch * frames // window, heads, window, width // heads), x.dtype)
    for block in range(out.shape[0]):
        for head in range(heads):
            for position in range(window):
                clip, frame = divmod(block * window + position, frames)
                channels = slice(head * width // heads, (head + 1) * width // heads)
                out[block, head, position] = x[clip, 0, frame, channels]
    return out


def positions(frames, width):
    """Vaswani et al. 2017, section 3.5, entry by entry."""
    code = np.empty((frames, width))
    for t in range(frames):
        for channel in range(width):
            angle = t / 10000 ** ((channel - channel % 2) / width)
            code[t, channel] = np.cos(angle) if channel % 2 else np.sin(angle)
    return code


def hard_swish(x):
    return x * np.clip(x + 3, 0, 6) / 6


# Layer, shapes of its inputs without the batch, what NumPy makes of inputs and weights, shapes of the weights.
CASES = {
    "dense": (lambda: FullyConnected(4), [(1, 5, 3)], lambda x, kernel, bias: x @ kernel + bias, [(3, 4), (4,)]),
    "dense over frames": (lambda: FullyConnected(4, "relu"), [(5, 3)],
                          lambda x, kernel, bias: np.maximum(x @ kernel + bias, 0), [(3, 4), (4,)]),
    "dense over a vector": (lambda: FullyConnected(4, use_bias=False), [(3,)], lambda x, kernel: x @ kernel, [(3, 4)]),
    "matmul": (MatMul, [(2, 3, 5), (2, 5, 4)], lambda a, b: a @ b, []),
    "matmul transposed": (lambda: MatMul(transpose_b=True), [(2, 3, 5), (2, 4, 5)],
                          lambda a, b: a @ np.swapaxes(b, -1, -2), []),
    "mean": (lambda: Mean(2), [(1, 5, 3)], lambda x: x.mean(2), []),
    "mean, axis kept": (lambda: Mean(-1, keepdims=True), [(1, 5, 3)], lambda x: x.mean(-1, keepdims=True), []),
    "add a constant": (lambda: AddConstant(0.25), [(1, 5, 3)], lambda x: x + 0.25, []),
    "rsqrt": (Rsqrt, [(1, 5, 3)], lambda x: 1 / np.sqrt(x), []),
    "scale": (Scale, [(1, 5, 3)], lambda x, gamma: x * gamma, [(3,)]),
    "shift": (Shift, [(1, 5, 3)], lambda x, beta: x + beta, [(3,)]),
    "hard swish": (HardSwish, [(1, 5, 3)], hard_swish, []),
    "positions": (SinusoidalPositions, [(1, 20, 6)], lambda x: x + positions(20, 6), []),
    "positions, odd width": (SinusoidalPositions, [(1, 20, 5)], lambda x: x + positions(20, 5), []),
    "split heads": (lambda: SplitHeads(2, 12), [(1, 12, 6)], lambda x: split_heads(x, 2, 12), []),
    "split heads and windows": (lambda: SplitHeads(3, 4), [(1, 12, 6)], lambda x: split_heads(x, 3, 4), []),
}


def check_layer(layer, inputs, weights, folder):
    """What holds for every layer; returns what it makes of ``inputs`` with random weights."""
    symbols = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(symbols, layer(symbols if len(symbols) > 1 else symbols[0]))
    assert [tuple(w.shape) for w in layer.trainable_weights] == weights
    assert layer.non_trainable_weights == []
    rng = np.random.default_rng(2)
    layer.set_weights([rng.standard_normal(shape) for shape in weights])

    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()

    output = model(inputs).numpy()
    assert output.dtype == np.float32
    assert model.output_shape[1:] == output.shape[1:]

    # Keras may build a loaded layer from its saved shapes and again in the graph: each weight once.
    model.save(folder / "x.keras")
    loaded = keras.models.load_model(folder / "x.keras")
    assert [tuple(w.shape) for w in loaded.weights] == weights
    np.testing.assert_array_equal(loaded(inputs), output)
    return output


@pytest.mark.parametrize("case", CASES)
def test_layer(case, tmp_path):
    make, shapes, oracle, weights = CASES[case]
    rng = np.random.default_rng(1)
    inputs = [rng.uniform(-4, 4, (3, *shape)).astype(np.float32) for shape in shapes]
    if case == "rsqrt":
        inputs = [np.abs(x) + 0.1 for x in inputs]
    layer = make()
    output = check_layer(layer, inputs, weights, tmp_path)
    expected = oracle(*(x.astype(np.float64) for x in inputs), *layer.get_weights())
    np.testing.assert_allclose(output, expected, rtol=LAYER_ATOL, atol=LAYER_ATOL)


def test_every_layer_is_tested():
    kinds = {value for value in vars(layers).values()
             if inspect.isclass(value) and value.__module__ == layers.__name__ and not value.__name__.startswith("_")}
    assert kinds == {type(make()) for make, *_ in CASES.values()} | {MergeHeads}


@pytest.mark.parametrize("settings", [{"activation": "tanh"}, {"use_bias": False}])
@pytest.mark.parametrize("shape", [(3, 1, 7, 5), (3, 7, 5), (3, 5)])
def test_a_dense_layer_and_its_gradients_have_the_bits_of_keras(shape, settings):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal(shape), tf.float32)
    weights, found = None, []
    for kind in (keras.layers.Dense, FullyConnected):
        layer = kind(6, **settings)
        layer.build(shape)
        weights = weights or [rng.standard_normal(weight.shape) for weight in layer.weights]
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        found.append([y, *tape.gradient(tf.square(y), [x, *layer.weights])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("window", [12, 4])
def test_merging_heads_undoes_splitting_them(window, tmp_path):
    x = np.random.default_rng(0).standard_normal((3, 1, 12, 6)).astype(np.float32)
    blocks = split_heads(x, 2, window)
    np.testing.assert_array_equal(check_layer(MergeHeads(12), [blocks], [], tmp_path), x)


@pytest.mark.parametrize(("heads", "window", "problem"), [
    (2, 5, "12 frames in windows of 5"), (4, 12, "width 6 in 4 heads")])
def test_heads_and_windows_that_do_not_divide(heads, window, problem):
    with pytest.raises(InputError, match="TF-MODEL-05") as raised:
        SplitHeads(heads, window, name="block1/attention/key_heads")(keras.Input((1, 12, 6)))
    assert problem in raised.value.received and "'block1/attention/key_heads'" in raised.value.received


def test_layer_norm_is_that_of_keras():
    x = keras.Input((1, 7, 24))
    ours = keras.Model(x, layer_norm(x, "norm"))
    theirs = keras.layers.LayerNormalization(epsilon=NORM_EPSILON)
    data = np.random.default_rng(0).normal(3.0, 2.0, (4, 1, 7, 24)).astype(np.float32)
    theirs.build(data.shape)
    for layer, weight in ((ours.get_layer("norm/scale"), "gamma"), (ours.get_layer("norm/shift"), "beta")):
        values = np.random.default_rng(1).standard_normal(24)
        getattr(layer, weight).assign(values)
        getattr(theirs, weight).assign(values)
    np.testing.assert_allclose(ours(data), theirs(data), rtol=0, atol=NORM_ATOL)


def test_layer_norm_survives_a_constant_frame():
    x = keras.Input((1, 2, 8))
    constant = keras.Model(x, layer_norm(x, "norm"))(np.full((1, 1, 2, 8), 5.0, np.float32))
    np.testing.assert_array_equal(constant, 0)


FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_swish": hard_swish,
    "swish": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation):
    x = np.linspace(-8, 8, 101, dtype=np.float32)[None]
    made = activate(keras.Input((101,)), activation, "ffn1/activation")
    layer = made.node.layer
    assert layer.name == "ffn1/activation"
    np.testing.assert_allclose(layer(x), FORMULAS[activation](x.astype(np.float64)), rtol=LAYER_ATOL, atol=LAYER_ATOL)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_the_norm_and_the_dropout_of_a_specification(norm):
    x = keras.Input((1, 4, 8))
    builder = Builder(spec_of("conformer", norm=norm, dropout=0.0), 8, 2, 16)
    made = keras.Model(x, builder.norm(x, "norm")).layers
    assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in made) is (norm == "batch")
    assert builder.dropout(x, "dropout") is x
    assert Builder(spec_of("conformer", dropout=0.3), 8, 2, 16).dropout(x, "dropout").node.layer.rate == 0.3
