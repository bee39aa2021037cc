"""The comparison of the interpreters, and that it would notice."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.parity import PARITY_MAX_STEPS, compare, compare_outputs, probe_inputs
from tfser.validate.runtimes import litert_tensors, run_litert, run_tflite_micro, tflite_micro_tensors


def load(folder, name):
    content = (folder / f"{name}.tflite").read_bytes()
    model = read_tflite(content)
    return model, content, probe_inputs(model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]])


@pytest.mark.parametrize("name", ["kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant"])
def test_convolutional_models_are_equal(shared_models, name):
    parity = compare(*load(shared_models, name))
    assert parity.equal and parity.within_bound and parity.first_diverging is None
    assert parity.equal_inputs == parity.labels_agree == parity.inputs == 19
    assert np.unique(parity.outputs).size > 8


@pytest.mark.parametrize("name", ["conformer_bn", "conformer_ln"])
def test_first_diverging_operator(shared_models, name):
    """LiteRT requantises FULLY_CONNECTED in float: where the outputs part, all before was equal."""
    model, content, inputs = load(shared_models, name)
    parity = compare(model, content, inputs)
    assert not parity.equal and parity.within_bound and parity.labels_agree == parity.inputs
    first = parity.first_diverging
    subgraph = model.subgraphs[0]
    assert first.name == subgraph.operators[first.operator].name == "FULLY_CONNECTED"
    assert subgraph.tensors[subgraph.operators[first.operator].outputs[0]].name.endswith(first.layer)
    before = [index for operator in subgraph.operators[:first.operator] for index in operator.outputs]
    differing = inputs[np.abs(run_litert(content, inputs) - parity.outputs.astype(int)).max(axis=1) > 0][:4]
    micro, litert = tflite_micro_tensors(content, differing, before), litert_tensors(content, differing, before)
    assert all(np.array_equal(micro[index], litert[index]) for index in before)


def test_a_nudged_weight_is_noticed(shared_models):
    """One bit of one bias of the last layer: the other interpreter is no longer within the bound."""
    model, content, inputs = load(shared_models, "conformer_bn")
    last = [operator for operator in model.subgraphs[0].operators if operator.name == "FULLY_CONNECTED"][-1]
    weights = model.subgraphs[0].tensors[last.inputs[1]]
    nudged = bytearray(content)
    nudged[weights.data_offset] ^= 0x80
    read_tflite(bytes(nudged))
    expected = run_tflite_micro(content, inputs)
    assert compare_outputs(expected, run_litert(content, inputs)).within_bound
    parity = compare_outputs(expected, run_litert(bytes(nudged), inputs))
    assert parity.max_steps > PARITY_MAX_STEPS and not parity.within_bound and not parity.equal


def test_outputs_compared():
    expected = np.array([[-128, 127], [5, 4], [1, 2]], np.int8)
    parity = compare_outputs(expected, np.array([[127, -128], [5, 4], [1, 0]], np.int8))
    assert (parity.max_steps, parity.equal_inputs, parity.labels_agree, parity.inputs) == (255, 1, 1, 3)


def test_probe_inputs_reach_every_code(shared_models):
    model, _, inputs = load(shared_models, "conformer_bn")
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    assert inputs.shape == (19, 1, 100, 40) and inputs.dtype == np.int8
    assert np.unique(inputs[:16]).size == 256
    assert [np.unique(sample).tolist() for sample in inputs[16:]] == [[-128], [127], [int(tensor.zero_point[0])]]
    assert np.array_equal(inputs, probe_inputs(tensor))
