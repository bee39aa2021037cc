"""The canonical form: named after the layers, free of what the converter numbers, same numbers inside."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import clips, randomise
from tflite_builder import edit, fb, pack, unpack

from tfser.convert.canonical import INPUT_NAME, OUTPUT_NAME, canonicalise, operator_name
from tfser.convert.tflite import to_int8
from tfser.keras import keras
from tfser.models.layers import Scale, Shift, SinusoidalPositions
from tfser.validate.runtimes import run_litert, run_tflite_micro


@pytest.fixture(scope="module")
def canonical(conversion):
    return canonicalise(conversion.content, conversion.layers)


def graph_of(content):
    return unpack(content).subgraphs[0]


def names(graph, indices):
    return [graph.tensors[index].name.decode() for index in indices]


def activations(graph):
    """Names of what the operators make, in order."""
    return [name for operator in graph.operators for name in names(graph, operator.outputs)]


def shuffled(content, seed):
    """The same model as another run of the converter could have numbered it."""
    rng = np.random.default_rng(seed)
    model = unpack(content)
    graph = model.subgraphs[0]

    order = rng.permutation(len(graph.tensors))
    graph.tensors = [graph.tensors[old] for old in order]
    new = {int(old): position for position, old in enumerate(order)} | {-1: -1}
    for holder in (graph, *graph.operators):
        holder.inputs = [new[int(index)] for index in holder.inputs]
        holder.outputs = [new[int(index)] for index in holder.outputs]

    order = rng.permutation(len(model.operatorCodes))
    model.operatorCodes = [model.operatorCodes[old] for old in order]
    for operator in graph.operators:
        operator.opcodeIndex = list(order).index(operator.opcodeIndex)

    order = [0, *(1 + rng.permutation(len(model.buffers) - 1))]
    model.buffers = [model.buffers[old] for old in order]
    for tensor in graph.tensors:
        tensor.buffer = order.index(tensor.buffer)
    model.description = f"run {seed}".encode()
    return pack(model)


# --- numbers ---------------------------------------------------------------------------------------------------
def test_it_depends_on_nothing_that_the_converter_numbers(conversion, canonical):
    for seed in range(5):
        other = shuffled(conversion.content, seed)
        assert other != shuffled(conversion.content, seed + 1)
        assert canonicalise(other, conversion.layers) == canonical


def test_a_second_call_changes_nothing(conversion, canonical):
    assert canonicalise(canonical, conversion.layers) == canonical


def test_tensors_stand_in_order_of_first_use(canonical):
    graph = graph_of(canonical)
    used = [int(i) for operator in graph.operators for i in (*operator.inputs, *operator.outputs) if i >= 0]
    assert list(dict.fromkeys([*graph.inputs, *used])) == list(range(len(graph.tensors)))


def test_buffers_stand_in_order_of_their_tensors(canonical):
    model = unpack(canonical)
    assert model.buffers[0].data is None
    used = [tensor.buffer for tensor in model.subgraphs[0].tensors if tensor.buffer]
    assert list(dict.fromkeys(used)) == list(range(1, len(model.buffers)))


def test_equal_constants_share_a_buffer(conversion, canonical):
    def make_equal(model):
        key, value = ([model.buffers[tensor.buffer] for tensor in model.subgraphs[0].tensors
                       if tensor.name.decode().endswith(f"attention/{part}/Conv2D")] for part in ("key", "value"))
        value[0].data = key[0].data

    model = unpack(canonicalise(edit(conversion.content, make_equal), conversion.layers))
    assert len(model.buffers) == len(unpack(canonical).buffers) - 1
    shared = {tensor.buffer for tensor in model.subgraphs[0].tensors
              if tensor.name in (b"block/attention/key/w", b"block/attention/value/w")}
    assert len(shared) == 1
    assert len({buffer.data.tobytes() for buffer in model.buffers[1:]}) == len(model.buffers) - 1


def test_operator_codes_stand_in_order_of_first_use(canonical):
    model = unpack(canonical)
    used = [operator.opcodeIndex for operator in model.subgraphs[0].operators]
    assert list(dict.fromkeys(used)) == list(range(len(model.operatorCodes)))


def test_there_is_no_metadata(conversion, canonical):
    def sign(model):  # as the converter does with what was a SavedModel on the way
        model.signatureDefs = [fb.SignatureDefT()]
        model.signatureDefs[0].signatureKey = b"serving_default"

    signed = edit(conversion.content, sign)
    assert canonicalise(signed, conversion.layers) == canonical
    model = unpack(canonical)
    assert (model.description, model.metadata, model.signatureDefs, model.subgraphs[0].name) == (None,) * 4
    for text in (b"serving_default", b"min_runtime_version", b"MLIR"):
        assert text in signed and text not in canonical
    assert b"FusedBatchNormV3" in conversion.content and b"FusedBatchNormV3" not in canonical


def test_both_interpreters_compute_the_same_before_and_after(conversion, canonical):
    inputs = np.random.default_rng(0).integers(-128, 128, (8, 16, 8), dtype=np.int8)
    for run in (run_litert, run_tflite_micro):
        before, after = run(conversion.content, inputs), run(canonical, inputs)
        assert np.unique(before).size > 8
        np.testing.assert_array_equal(after, before)


# --- names -----------------------------------------------------------------------------------------------------
def test_input_and_output(canonical):
    graph = graph_of(canonical)
    assert (names(graph, graph.inputs), names(graph, graph.outputs)) == ([INPUT_NAME], [OUTPUT_NAME])


def test_names_are_unique_and_the_int32_constants_have_none(canonical):
    graph = graph_of(canonical)
    given = [tensor.name for tensor in graph.tensors if tensor.name]
    assert len(given) == len(set(given)) and not any(b":" in name for name in given)
    assert {tensor.type for tensor in graph.tensors if not tensor.name} == {fb.TensorType.INT32}


def test_weights_are_named_after_the_layer_that_owns_them(conversion, canonical):
    """Also where the converter fused norm and activation into the operator."""
    model = unpack(canonical)
    kernels = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors
               if tensor.name and tensor.name.endswith(b"/w") and len(tensor.shape) == 4}
    owners = [layer for layer in conversion.model.layers
              if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)]
    assert set(kernels) == {f"{layer.name}/w" for layer in owners} and len(owners) == 18
    for layer in owners:
        tensor = kernels[f"{layer.name}/w"]
        codes = model.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape)
        kernel = layer.get_weights()[0].transpose(3, 0, 1, 2)
        # The largest weight of each output channel has the code 127, also where a norm was folded in.
        channel = 3 if isinstance(layer, keras.layers.DepthwiseConv2D) else 0
        others = tuple(axis for axis in range(4) if axis != channel)
        expected = 127 * kernel / np.abs(kernel).max(others, keepdims=True)
        assert codes.shape == expected.shape
        assert np.abs(codes - expected).max() <= 1, layer.name


def test_a_layer_of_several_operators_names_its_output_and_what_leads_to_it(canonical):
    made = activations(graph_of(canonical))
    for step in ("block/ffn1/activation/logistic", "block/attention/key_heads/reshape",
                 "block/attention/merge/transpose"):
        assert made.index(step) < made.index(step.rpartition("/")[0])
    assert "block/attention/softmax" in made and "block/attention/softmax/softmax" not in made


def test_what_the_converter_fused_has_the_name_of_the_last_layer(canonical):
    made = activations(graph_of(canonical))
    for last, inside in (("frontend/relu1", "frontend/conv1"), ("frontend/relu1", "frontend/norm1"),
                         ("block/conv/depthwise_norm", "block/conv/depthwise")):
        assert last in made and inside not in made


def test_constants_of_elementwise_operators_are_named_after_their_result():
    x = keras.Input((1, 16, 8), name="x")
    model = keras.Model(x, Shift(name="shift")(Scale(name="scale")(SinusoidalPositions(name="positions")(x))))
    parsed = unpack(to_int8(randomise(model), clips(model, 8)))
    graph = parsed.subgraphs[0]
    read = [names(graph, operator.inputs) for operator in graph.operators]
    assert [operator_name(parsed, operator) for operator in graph.operators] == ["ADD", "MUL", "ADD"]
    assert [constant for _, constant in read] == ["positions/w", "scale/w", OUTPUT_NAME + "/w"]


def test_tensors_of_unknown_layers_keep_a_name_of_their_own(conversion):
    graph = graph_of(canonicalise(conversion.content, []))
    given = [tensor.name for tensor in graph.tensors if tensor.name]
    assert len(given) == len(set(given)) and any(b"ffn1" in name for name in given)
