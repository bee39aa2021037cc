"""Backbones as int8 files: all integer, as many operators as layers, and the device's bytes on the host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from random_models import LABELS, clips, every_layer, randomise, spec_of
from tflite_builder import fb, unpack

from tfser.convert.canonical import operator_name
from tfser.convert.operator_form import operator_form
from tfser.convert.quantised_form import measured_tensors
from tfser.convert.tflite import OPERATOR_OF_LAYER, UNCOUNTED, operator_counts, to_int8, tuned_to_int8
from tfser.errors import CheckFailed, InputError, ToolError
from tfser.keras import keras, tf
from tfser.models.build import build_model
from tfser.models.hrf import HighRankFactorization
from tfser.spec import ARCHITECTURES
from tfser.validate.micro_support import KERNELS
from tfser.validate.runtimes import run_litert, run_tflite_micro

layers = keras.layers

MODEL_BYTES = 130_000
# LiteRT rounds the multiplier of a product of two activations to float32, which moves one in some 100,000.
EQUAL_SHARE = 0.98

# Layers that stay operators, counted by hand from the blocks: 3 projections and 1 output a block's
# attention, 2 dense layers a feed-forward module, 3 a convolution module, and those at both ends. Norms that are
# no part of them are depthwise convolutions: one at the end of a Conformer's block, before ConvTransformer's mean,
# and two a block of SpeechFormer, three of them in one with the pool of a merge.
OPERATORS = {
    "conformer": {"CONV_2D": 2 + 1 + 2 * (4 + 2 * 2 + 3) + 1, "DEPTHWISE_CONV_2D": 2 * (1 + 1), "BATCH_MATMUL": 4,
                  "SOFTMAX": 2, "LOGISTIC": 2 * 4, "MEAN": 1},
    "convtransformer": {"CONV_2D": 3 + 1 + 2 * (4 + 2) + 1, "DEPTHWISE_CONV_2D": 1, "BATCH_MATMUL": 4, "SOFTMAX": 2,
                        "MEAN": 1},
    "speechformer": {"CONV_2D": 1 + 6 * (4 + 2) + 3 + 3 + 1, "DEPTHWISE_CONV_2D": 6 * 2, "BATCH_MATMUL": 12,
                     "SOFTMAX": 6, "MEAN": 1},
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def backbone(request) -> SimpleNamespace:
    """A small backbone with random weights: ``arch``, ``model``, ``content`` of its file, ``inputs`` for it."""
    model = randomise(build_model(spec_of(request.param)))
    inputs = np.random.default_rng(0).integers(-128, 128, (16, *model.input_shape[1:]), dtype=np.int8)
    return SimpleNamespace(arch=request.param, model=model, content=to_int8(model, clips(model, 8)), inputs=inputs)


# --- backbones -------------------------------------------------------------------------------------------------
def test_input_and_output_are_int8_and_nothing_is_float(backbone):
    graph = unpack(backbone.content).subgraphs[0]
    int8, int32 = fb.TensorType.INT8, fb.TensorType.INT32
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [(tensor.type, list(tensor.shape)) for tensor in ends] == [
        (int8, [1, *backbone.inputs.shape[1:]]), (int8, [1, len(LABELS)])]
    assert {tensor.type for tensor in graph.tensors} == {int8, int32}


def test_one_layer_one_operator(backbone):
    counts = operator_counts(unpack(backbone.content))
    assert {name: counts[name] for name in OPERATORS[backbone.arch]} == OPERATORS[backbone.arch]
    assert set(counts) - set(OPERATORS[backbone.arch]) <= {"ADD", "RESHAPE", "TRANSPOSE"} | (
        {"MUL"} if backbone.arch == "conformer" else set())


def test_known_ranges_give_the_same_operators_and_scales(backbone):
    form = operator_form(backbone.model)
    ranges = {name: np.array([-2.0, 3.1], np.float32) for name in measured_tensors(form)}
    graph = unpack(tuned_to_int8(form, ranges, backbone.model))
    assert operator_counts(graph) == operator_counts(unpack(backbone.content))
    scales = {tensor.name.decode(): tensor.quantization.scale for tensor in graph.subgraphs[0].tensors if tensor.name}
    known = ranges.keys() & scales.keys()
    assert len(known) >= len(ranges) - 2  # the input and the logits have other names
    assert all(scales[name] == pytest.approx([5.1 / 255]) for name in known)


def test_it_fits_in_flash(backbone):
    assert len(backbone.content) <= MODEL_BYTES


def assert_the_host_follows_the_device(content, inputs):
    """Equal bytes, but for those that a product of two activations may move by a step."""
    expected, received = run_tflite_micro(content, inputs), run_litert(content, inputs)
    assert expected.dtype == np.int8 and expected.shape == (len(inputs), len(LABELS))
    assert np.unique(expected).size > 8
    if products_of_activations(content):
        assert np.mean(received == expected) >= EQUAL_SHARE
    else:
        np.testing.assert_array_equal(received, expected)


def products_of_activations(content):
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    return [operator for operator in model.subgraphs[0].operators if operator_name(model, operator) == "MUL"
            and not any(tensors[index].buffer for index in operator.inputs)]


def test_the_host_computes_the_bytes_of_the_device(backbone):
    assert bool(products_of_activations(backbone.content)) is (backbone.arch == "conformer")
    assert_the_host_follows_the_device(backbone.content, backbone.inputs)


def test_the_host_computes_the_bytes_of_the_device_with_layer_norm():
    model = randomise(every_layer("layer", "hard_swish"))
    content = to_int8(model, clips(model, 8))
    assert len(products_of_activations(content)) == 1 + 2 * 6  # the gate; square and quotient of each norm
    inputs = np.random.default_rng(0).integers(-128, 128, (32, 16, 8), dtype=np.int8)
    assert_the_host_follows_the_device(content, inputs)


# --- same model, same bytes --------------------------------------------------------------------------------------
def convert_once():
    model = randomise(every_layer("batch", "swish"))
    return to_int8(model, clips(model, 8))


def test_the_same_bytes_twice_and_in_another_process(tmp_path):
    content = convert_once()
    assert convert_once() == content
    code = ("import pathlib, sys; sys.path[:0] = sys.argv[2:]; import test_int8\n"
            "pathlib.Path(sys.argv[1]).write_bytes(test_int8.convert_once())")
    subprocess.run([sys.executable, "-c", code, tmp_path / "x.tflite", Path(__file__).parent, Path(__file__).parents[1],
                    Path(__file__).parents[2]], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (tmp_path / "x.tflite").read_bytes() == content


def test_other_weights_and_other_clips_are_other_bytes():
    model = randomise(model_of(layers.Dense(8, name="dense")))
    content = to_int8(model, clips(model, 8))
    assert to_int8(model, 2 * clips(model, 8)) != content
    weight = model.get_layer("dense").kernel
    weight.assign(np.where(np.eye(8), -weight.numpy(), weight.numpy()))
    assert to_int8(model, clips(model, 8)) != content


# --- refusals ----------------------------------------------------------------------------------------------------
def model_of(make):
    """Flattened and classified: ``make`` of features of 12 frames and 8 bands."""
    keras.utils.set_random_seed(0)
    x = keras.Input((12, 8), name="features")
    return keras.Model(x, layers.Dense(3, name="head/logits")(layers.Flatten(name="head/flat")(make(x))), name="small")


def convert(make):
    model = model_of(make)
    return to_int8(randomise(model), clips(model, 4))


@pytest.mark.parametrize(("shape", "expected"), [
    ((4, 12, 7), "(n, 12, 8)"), ((4, 11, 8), "(n, 12, 8)"), ((12, 8), "(n, 12, 8)"), ((1, 4, 12, 8), "(n, 12, 8)"),
    ((0, 12, 8), "n at least 1"), ((), "(n, 12, 8)"),
])
def test_calibration_of_another_shape(shape, expected):
    with pytest.raises(InputError, match="TF-CONV-01") as raised:
        to_int8(model_of(lambda x: x), np.zeros(shape, np.float32))
    assert str(shape) in raised.value.received and expected in raised.value.expected


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_calibration_that_is_not_finite(value):
    calibration = np.zeros((2, 12, 8), np.float32)
    calibration[1, 3, 5] = value
    with pytest.raises(InputError, match="TF-CONV-02"):
        to_int8(model_of(lambda x: x), calibration)


@pytest.mark.parametrize(("make", "tensor"), [
    (layers.ELU(name="block/elu"), "block/elu (float32)"),
    (layers.Lambda(lambda x: -x, name="block/negate"), "block/negate (float32)"),
    (layers.LeakyReLU(name="block/leaky"), None),
    (layers.Lambda(lambda x: tf.where(x > 0, x, 0.5 * x), name="block/where"), "block/where/greater (bool)"),
])
def test_a_tensor_that_is_left_in_float(make, tensor):
    with pytest.raises(CheckFailed) as raised:
        convert(make)
    assert raised.value.code == ("TF-CONV-03" if tensor else "TF-CONV-04")
    assert (tensor or "LEAKY_RELU in the converted file (block/leaky)") in raised.value.received


@pytest.mark.parametrize(("make", "received"), [
    # int8 to TensorFlow Lite, and without a kernel in TensorFlow Lite Micro
    (layers.Dense(8, "gelu", name="ffn1/expand"), "1 GELU in the converted file (ffn1/expand)"),
    (lambda x: layers.Lambda(tf.sqrt, name="root")(layers.ReLU()(x)), "1 SQRT in the converted file (root)"),
    # composite: its inner tensors have no range of their own
    (layers.LayerNormalization(name="norm"), "1 RSQRT in the converted file (norm/rsqrt)"),
    (lambda x: layers.MultiHeadAttention(2, 4, name="mha")(x, x), "2 BATCH_MATMUL in the converted file (mha/"),
    (layers.Dense(8, "softmax", name="weights"), "1 SOFTMAX in the converted file (weights)"),
])
def test_operators_that_no_layer_stands_for(make, received):
    with pytest.raises(CheckFailed, match="TF-CONV-04") as raised:
        convert(make)
    assert raised.value.received.startswith(received)
    assert raised.value.expected.startswith("0, ")


def test_a_layer_without_its_operator():
    """The converter computes once what two layers make of the same input: the file has a layer less."""
    def make(x):
        return layers.Add(name="add")([layers.Softmax(name="one")(x), layers.Softmax(name="two")(x)])

    with pytest.raises(CheckFailed, match=r"TF-CONV-04: 1 SOFTMAX in the converted file \((one|two)\)\n  Expected 2, "):
        convert(make)


def test_an_operation_that_the_converter_does_not_know():
    with pytest.raises(ToolError, match=r"TF-CONV-05: TensorFlow's converter refused model 'small': .*tf\.Igamma"):
        convert(layers.Lambda(lambda x: tf.math.igamma(tf.abs(x) + 1.0, tf.abs(x) + 1.0)))


# --- what is counted ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("operator", [*OPERATOR_OF_LAYER, *UNCOUNTED])
def test_every_operator_that_passes_has_an_int8_kernel(operator):
    assert "int8" in KERNELS[operator].types


def test_each_call_of_a_shared_layer_counts():
    shared = layers.Dense(8, name="shared")
    counts = operator_counts(unpack(convert(lambda x: shared(shared(x)))))
    assert counts["FULLY_CONNECTED"] == 3


def test_a_model_that_was_not_merged_converts_as_it_is():
    hrf = HighRankFactorization(16, name="ffn1/hrf1")
    assert operator_counts(unpack(convert(lambda x: layers.Dense(8)(hrf(x)))))["FULLY_CONNECTED"] == 3
