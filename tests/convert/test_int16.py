"""Models with 16-bit activations: the types in the file, TensorFlow Lite Micro's answers beside the float model's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from random_models import clips, every_layer, randomise, spec_of
from tflite_builder import fb, unpack

from firmware_gen.frontend.tflite import read_tflite
from tfser.convert.tflite import operator_counts, to_int8, to_int16
from tfser.errors import CheckFailed, InputError
from tfser.models.build import build_model
from tfser.spec import ARCHITECTURES
from tfser.validate.accuracy import quantize
from tfser.validate.doctor import examine, has_int16_activations
from tfser.validate.parity import PARITY_MAX_STEPS, compare, probe_inputs
from tfser.validate.runtimes import run_tflite_micro


def converted(model, count):
    x = clips(model, count)
    return SimpleNamespace(model=model, x=x, content=to_int16(model, x), int8=to_int8(model, x))


@pytest.fixture(scope="module")
def small():
    return converted(randomise(every_layer("layer", "swish")), 12)


def answers(content, x):
    """Logits [shape=(n, labels)] by TensorFlow Lite Micro."""
    graph = read_tflite(content).subgraphs[0]
    given, made = (graph.tensors[index] for index in (*graph.inputs, *graph.outputs))
    codes = quantize(x, float(given.scale[0]), int(given.zero_point[0]), given.dtype)
    outputs = run_tflite_micro(content, codes)
    assert outputs.dtype == given.dtype == made.dtype
    assert np.unique(outputs).size > 8
    return float(made.scale[0]) * (outputs.astype(float) - int(made.zero_point[0]))


def error(content, case):
    return np.sqrt(np.mean((answers(content, case.x) - case.model.predict(case.x, verbose=0)) ** 2))


def test_activations_have_sixteen_bits_weights_eight(small):
    model = unpack(small.content)
    graph = model.subgraphs[0]
    made = {int(index) for operator in graph.operators for index in operator.outputs} | {int(graph.inputs[0])}
    assert {graph.tensors[index].type for index in made} == {fb.TensorType.INT16}
    weights = {graph.tensors[operator.inputs[1]].type for operator in graph.operators
               if len(operator.inputs) == 3 and operator.inputs[2] >= 0}
    assert weights == {fb.TensorType.INT8}
    assert operator_counts(model) == operator_counts(unpack(small.int8))


def test_tensorflow_lite_micro_comes_much_closer_than_with_eight_bits(small):
    assert error(small.content, small) < error(small.int8, small) / 3


def test_the_doctor_and_both_runtimes_take_it(small):
    model = read_tflite(small.content)
    assert examine(model) == []
    assert (has_int16_activations(model), has_int16_activations(read_tflite(small.int8))) == (True, False)
    inputs = probe_inputs(model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]], count=4)
    assert (inputs.dtype, inputs.min(), inputs.max()) == (np.int16, -32768, 32767)
    assert compare(model, small.content, inputs[:4]).max_steps <= PARITY_MAX_STEPS


def test_one_end_of_eight_bits_is_an_error(small):
    model = unpack(small.content)
    model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].type = fb.TensorType.INT8
    from tflite_builder import pack

    codes = [(finding.code, finding.text) for finding in examine(read_tflite(pack(model)))]
    assert [code for code, _ in codes].count("TF-DOC-05") == 1
    assert any("is int16, not int8" in text for _, text in codes)


def test_the_same_model_gives_the_same_bytes(small):
    assert to_int16(small.model, small.x) == small.content


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_backbone_runs(arch):
    case = converted(randomise(build_model(spec_of(arch))), 3)
    assert examine(read_tflite(case.content)) == []
    assert error(case.content, case) < error(case.int8, case)


def test_hard_swish_is_refused_with_its_layers():
    model = randomise(every_layer("batch", "hard_swish"))
    with pytest.raises(CheckFailed, match=r"TF-CONV-06: HARD_SWISH \(block/ffn1/activation, block/conv/activation, "):
        to_int16(model, clips(model, 2))


def test_calibration_is_checked_as_for_eight_bits(small):
    with pytest.raises(InputError, match="TF-CONV-01"):
        to_int16(small.model, small.x[:, 1:])
