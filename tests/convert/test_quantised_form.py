"""The quantised form: every operator rounds, the file has its ranges, and computes what it does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from random_models import clips, every_layer, randomise, spec_of

from firmware_gen.frontend.tflite import read_tflite
from tfser.convert.calibrate import low_on_grid
from tfser.convert.canonical import parse
from tfser.convert.operator_form import INPUT, operator_form
from tfser.convert.quantised_form import (
    extremes,
    measured_tensors,
    quantised_form,
    ranges_of,
    weights_of,
)
from tfser.convert.tflite import operator_counts, to_int8, tuned_to_int8
from tfser.errors import InputError
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.models.checkpoint import get_weights, set_weights
from tfser.spec import ARCHITECTURES
from tfser.validate.accuracy import quantize
from tfser.validate.doctor import examine
from tfser.validate.runtimes import run_tflite_micro

FORM_ATOL = 1e-5  # float32 reassociation of folded norms
ROUNDING_SHARE = 0.2  # of the logits' spread; a layer left out or a wrong range gives 1 or more


@pytest.fixture(scope="module", params=[("batch", "swish"), ("layer", "hard_swish")], ids="-".join)
def made(request):
    """A small model with every kind of layer: ``model``, ``x``, its ``form``, ``quantised`` and the ``content``."""
    model = randomise(every_layer(*request.param))
    x, form = clips(model, 16), operator_form(model)
    quantised = quantised_form(form, extremes(form, x))
    return SimpleNamespace(model=model, x=x, form=form, quantised=quantised,
                           content=file_of(model, quantised))


def file_of(model, quantised, ranges=None):
    """The int8 file with the weights and ranges of a quantised form."""
    form = operator_form(model)
    set_weights(form, weights_of(quantised), source=Path("here"))
    return tuned_to_int8(form, ranges or ranges_of(quantised), model)


def micro_logits(content, x):
    """Dequantised outputs of TensorFlow Lite Micro, [shape=(n, labels)]."""
    graph = parse(content).subgraphs[0]
    given, result = (graph.tensors[index].quantization for index in (graph.inputs[0], graph.outputs[0]))
    outputs = run_tflite_micro(content, quantize(x, float(given.scale[0]), int(given.zeroPoint[0])))
    assert np.unique(outputs).size > 8
    return float(result.scale[0]) * (outputs.astype(float) - int(result.zeroPoint[0]))


@pytest.fixture
def small():
    """Of two operators with weights: the model, clips and the operator form."""
    features = keras.Input((6, 4), name="features")
    x = keras.layers.Dense(8, "relu", name="hidden")(keras.layers.Reshape((1, 1, 24), name="row")(features))
    logits = keras.layers.Dense(3, name="logits")(x)
    model = randomise(keras.Model(features, keras.layers.Reshape((3,), name="output")(logits), name="small"))
    return model, clips(model, 16), operator_form(model)


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


def test_the_operator_form_computes_the_same(made):
    np.testing.assert_allclose(made.form(made.x), made.model(made.x), atol=FORM_ATOL)


def test_the_quantised_form_differs_by_rounding_alone(made):
    expected = made.model(made.x).numpy()
    for training in (False, True):
        assert 0 < rmse(made.quantised(made.x, training=training), expected) < ROUNDING_SHARE * expected.std()


@pytest.mark.parametrize("activation", ["relu6", "tanh"])
def test_other_activations_round_too(activation):
    model = randomise(every_layer("batch", activation))
    x, form = clips(model, 8), operator_form(model)
    expected = model(x).numpy()
    quantised = quantised_form(form, extremes(form, x))
    assert 0 < rmse(quantised(x, training=False), expected) < ROUNDING_SHARE * expected.std()


def test_the_file_is_all_int8_has_the_operators_of_calibration_and_computes_what_the_form_does(made):
    assert examine(read_tflite(made.content)) == []
    assert operator_counts(parse(made.content)) == operator_counts(parse(to_int8(made.model, made.x)))
    expected = made.quantised(made.x, training=False).numpy()
    assert rmse(micro_logits(made.content, made.x), expected) < ROUNDING_SHARE * expected.std()


def test_the_files_scales_are_the_ranges(made):
    """Of every tensor whose name says whose it is: 255 steps, or 127 on either side for each channel."""
    ranges, seen = ranges_of(made.quantised), 0
    for tensor in parse(made.content).subgraphs[0].tensors:
        name, scales = tensor.name and tensor.name.decode(), tensor.quantization and tensor.quantization.scale
        if name in ranges:
            np.testing.assert_allclose(scales, (ranges[name][1] - ranges[name][0]) / 255, rtol=1e-5)
            seen += 1
        elif name and (kernel := ranges.get(name.removesuffix("w") + "kernel")) is not None:
            np.testing.assert_allclose(scales, kernel / 127, rtol=1e-5)
            seen += 1
    assert seen > 25


def test_a_constant_has_the_scale_of_what_it_spans(made):
    weights, seen = weights_of(made.quantised), 0
    for tensor in parse(made.content).subgraphs[0].tensors:
        for kind in ("gamma", "beta"):
            owner = tensor.name and tensor.name.decode().removesuffix("w") + kind
            if owner in weights:
                span = max(0, weights[owner].max()) - min(0, weights[owner].min())
                np.testing.assert_allclose(tensor.quantization.scale, span / 255, rtol=1e-5)
                seen += 1
    assert seen >= 1


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_operator_of_a_backbone_has_its_quantiser(arch):
    """By counting: what is not fixed by TensorFlow Lite and moves no data has a range of its own."""
    form = operator_form(build_model(spec_of(arch)))
    kinds = [type(layer).__name__ for layer in form.layers]
    own = {"Conv2D", "DepthwiseConv2D", "Add", "Multiply", "MatMul", "Mean", "Scale", "Shift", "ReLU"}
    fused = sum(isinstance(layer, keras.layers.Conv2D) and isinstance(layer.outbound_nodes[0].layer, keras.layers.ReLU)
                for layer in form.layers)
    assert len(measured_tensors(form)) == 1 + sum(kind in own for kind in kinds) - fused  # 1: the input
    assert set(kinds) - own <= {"InputLayer", "Activation", "Softmax", "Reshape", "SplitHeads", "MergeHeads"}


def test_a_narrowed_range_is_the_range_of_the_file(small):
    """A check that the file's ranges come from the quantisers: the logits saturate where one says so."""
    model, x, form = small
    ranges = extremes(form, x)
    high = float(ranges["logits"][1]) / 4
    quantised = quantised_form(form, {**ranges, "logits": np.array([ranges["logits"][0], high])})
    assert micro_logits(file_of(model, quantised), x).max() == pytest.approx(high, rel=0.02)


def test_weights_and_ranges_make_the_same_form_again(small):
    _, x, form = small
    quantised = quantised_form(form, extremes(form, x))
    before = quantised(x, training=False).numpy()
    for index, variable in enumerate(quantised.trainable_variables):  # as if tuned
        variable.assign_add(0.01 * np.random.default_rng(index).standard_normal(variable.shape))
    expected = quantised(x, training=False).numpy()
    assert weights_of(quantised).keys() == get_weights(form).keys()
    set_weights(form, weights_of(quantised), source=Path("here"))
    np.testing.assert_array_equal(quantised_form(form, ranges_of(quantised))(x, training=False), expected)
    assert not np.array_equal(before, expected)


@pytest.mark.parametrize(("ends", "expected"), [
    ([-1.3, 8.7], [-1.3, 8.745455]),  # 33 of 33.15 steps
    ([-0.01, 5.0], [-0.01, 5.0]), ([0.0, 3.0], [0.0, 3.0]), ([-2.0, 0.0], [-2.0, 0.0]),
])
def test_the_low_end_of_the_input_is_a_whole_number_of_steps_from_0(ends, expected):
    low, high = low_on_grid(*ends)
    np.testing.assert_allclose([low, high], expected, rtol=1e-6)
    floor = tf.quantization.fake_quant_with_min_max_vars(tf.constant([low]), low, high).numpy()
    assert abs(floor[0] - low) < 1e-6 or expected == ends


def test_the_floor_of_the_features_is_exact_in_the_file(made):
    low = float(made.x.min())
    graph = parse(made.content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]].quantization
    assert float(given.scale[0]) * (-128 - int(given.zeroPoint[0])) == pytest.approx(low, rel=1e-6)


NO_RANGES = pytest.mark.parametrize(("name", "ends", "code"), [
    (INPUT, None, "TF-QAT-02"), (INPUT, [1.0, 2.0], "TF-QAT-02"), (INPUT, [0.0, 0.0], "TF-QAT-02"),
    (INPUT, [-1.0, np.nan], "TF-QAT-02"), (INPUT, [-1.0, 0.0, 1.0], "TF-QAT-02"),
    ("logits/kernel", [1.0, 0.0, 1.0], "TF-QAT-02"), ("nowhere", [0.0, 1.0], "TF-QAT-07"),
])
@NO_RANGES
def test_a_range_that_is_none(small, name, ends, code):
    _, x, form = small
    with pytest.raises(InputError, match=f"{code}.*{name}"):
        quantised_form(form, changed(extremes(form, x), name, ends))


@NO_RANGES
def test_a_range_that_is_none_makes_no_file(small, name, ends, code):
    model, x, form = small
    with pytest.raises(InputError, match=f"{code}.*{name}"):
        tuned_to_int8(form, changed(extremes(form, x), name, ends), model)


def changed(ranges, name, ends):
    others = {key: value for key, value in ranges.items() if key != name}
    return others if ends is None else {**others, name: np.array(ends)}


def test_a_layer_whose_operators_are_not_known():
    x = keras.Input((4, 6), name="x")
    model = keras.Model(x, keras.layers.LSTM(3, name="memory")(x))
    with pytest.raises(InputError, match="TF-QAT-01: layer 'memory' of type LSTM"):
        operator_form(model)
