"""The error of each layer against float: right figures, in order, and the culprit is named."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from random_models import clips, every_layer, randomise, spec_of
from tflite_builder import edit

from tfser.convert.canonical import operator_name, parse
from tfser.convert.tflite import to_float, to_int8, to_int16
from tfser.errors import InputError
from tfser.models.build import build_model
from tfser.spec import ARCHITECTURES
from tfser.validate.accuracy import quantize
from tfser.validate.layer_errors import CLIPS, layer_errors
from tfser.validate.runtimes import run_tflite_micro


@pytest.fixture(scope="module")
def small() -> SimpleNamespace:
    """Every kind of layer, quantised: ``content``, its float ``reference``, ``x`` and the float ``logits`` for it."""
    model = randomise(every_layer("batch", "swish"))
    x = clips(model, 24)
    return SimpleNamespace(model=model, x=x, content=to_int8(model, x), reference=to_float(model),
                           logits=model.predict(x, verbose=0))


@pytest.fixture(scope="module")
def errors(small):
    return layer_errors(small.content, small.reference, small.x)


def ends(content):
    graph = parse(content).subgraphs[0]
    return [(float(graph.tensors[index].quantization.scale[0]), int(graph.tensors[index].quantization.zeroPoint[0]))
            for index in (*graph.inputs, *graph.outputs)]


def rescaled(content, name, factor):
    """The file with other steps for one tensor: its operator and its readers requantise accordingly.

    The steps of a convolution's bias are those of its input times those of its kernel.
    """
    def change(model):
        graph = model.subgraphs[0]
        (index,) = (index for index, tensor in enumerate(graph.tensors) if tensor.name == name.encode())
        graph.tensors[index].quantization.scale = [factor * graph.tensors[index].quantization.scale[0]]
        for operator in graph.operators:
            if operator_name(model, operator) in ("CONV_2D", "DEPTHWISE_CONV_2D") and operator.inputs[0] == index:
                bias = graph.tensors[operator.inputs[2]]
                bias.quantization.scale = [factor * scale for scale in bias.quantization.scale]
                codes = np.asarray(model.buffers[bias.buffer].data, np.uint8).view(np.int32)
                model.buffers[bias.buffer].data = np.round(codes / factor).astype(np.int32).view(np.uint8)
    return edit(content, change)


def test_a_row_for_the_input_and_each_operator_in_order(small, errors):
    parsed = parse(small.content)
    kinds = [operator_name(parsed, operator) for operator in parsed.subgraphs[0].operators]
    assert [layer.kind for layer in errors.layers] == ["INPUT", *kinds]
    assert [layer.operator for layer in errors.layers] == [None, *range(len(kinds))]
    assert (errors.layers[0].layer, errors.layers[-1].layer) == ("features", "logits")
    assert {"block/ffn1/add", "block/attention/softmax", "frontend/relu1"} <= {layer.layer for layer in errors.layers}


def test_the_errors_at_both_ends_are_those_of_the_runtimes(small, errors):
    x = small.x[np.unique(np.linspace(0, len(small.x) - 1, CLIPS).round().astype(int))]
    assert errors.clips == len(x) == CLIPS
    (scale, zero_point), (out_scale, out_zero_point) = ends(small.content)
    codes = quantize(x, scale, zero_point)
    at_input = np.sqrt(np.mean(((codes.astype(float) - zero_point) * scale - x) ** 2))
    assert errors.layers[0].rms_steps == pytest.approx(at_input / scale, rel=1e-3)
    logits = out_scale * (run_tflite_micro(small.content, codes).astype(float) - out_zero_point)
    expected = np.sqrt(np.mean((logits - small.model.predict(x, verbose=0)) ** 2))
    assert errors.logit_rms == pytest.approx(expected, rel=1e-3)
    assert errors.layers[-1].sqnr_db == pytest.approx(
        10 * np.log10(np.mean(small.model.predict(x, verbose=0) ** 2) / expected ** 2), abs=0.01)


def test_layers_alone_make_up_the_error_of_all(errors):
    together = np.sqrt(sum(layer.logit_rms ** 2 for layer in errors.layers))
    assert 0.5 < together / errors.logit_rms < 2
    assert sum(layer.logit_share for layer in errors.layers) == pytest.approx(1)


def test_what_only_moves_values_adds_no_error(errors):
    moved = [layer for layer in errors.layers if layer.kind in ("RESHAPE", "TRANSPOSE")]
    assert len(moved) > 4
    assert {(layer.alone_sqnr_db, layer.alone_rms_steps, layer.logit_rms) for layer in moved} == {(None, 0.0, 0.0)}
    assert all(layer.rms_steps > 0 for layer in moved)


@pytest.mark.parametrize("name", ["block/ffn1/expand", "block/conv/value", "block/ffn2/add"])
def test_the_layer_with_coarse_steps_is_the_worst(small, errors, name):
    found = layer_errors(rescaled(small.content, name, 20.0), small.reference, small.x)
    assert errors.worst.layer != name
    assert found.worst.layer == name
    assert f"worst layer: {name} (" in found.verdict
    assert found.worst.range_used < 0.1
    assert found.worst.alone_rms_steps < 0.6  # it rounds, and nothing else


def test_values_beyond_the_range_are_counted(small, errors):
    assert max(layer.clipped for layer in errors.layers) < 0.01
    found = layer_errors(rescaled(small.content, "block/ffn1/expand", 0.3), small.reference, small.x)
    (narrow,) = (layer for layer in found.layers if layer.layer == "block/ffn1/expand")
    assert narrow.clipped > 0.02
    assert narrow.range_used > 2
    assert found.worst is narrow


def test_sixteen_bit_activations_lose_less(small, errors):
    found = layer_errors(to_int16(small.model, small.x), small.reference, small.x)
    assert len(found.layers) == len(errors.layers)
    assert found.logit_rms < errors.logit_rms / 2
    assert found.layers[0].sqnr_db > 80
    assert errors.layers[0].sqnr_db < 50


def test_the_dictionary_is_plain(errors):
    document = errors.to_dict()
    assert document["worst"] == errors.worst.layer
    assert document["layers"][0] == {
        "operator": None, "kind": "INPUT", "layer": "features", **{name: getattr(errors.layers[0], name) for name in (
            "scale", "range_used", "clipped", "sqnr_db", "rms_steps", "alone_sqnr_db", "alone_rms_steps", "logit_rms",
            "logit_share")}}
    assert all(type(value) in (int, float, str, type(None)) for entry in document["layers"] for value in entry.values())


def test_weights_of_another_training(small):
    other = to_float(randomise(every_layer("batch", "swish"), seed=5))
    with pytest.raises(InputError, match=r"TF-LAY-02: the weights of operator \d+ \(frontend/relu1\) are 1\.\d+ of"):
        layer_errors(small.content, other, small.x)


def test_operators_of_another_model(small):
    other = to_float(randomise(every_layer("batch", "relu")))
    with pytest.raises(InputError, match=r"TF-LAY-01: operator \d+ of the file is .* and of the checkpoint"):
        layer_errors(small.content, other, small.x)


def test_a_result_that_is_not_quantised(small):
    def change(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[3].outputs[0]].type = 2  # int32
    with pytest.raises(InputError, match=r"TF-LAY-01: operator 3 .*\(not quantised\)"):
        layer_errors(edit(small.content, change), small.reference, small.x)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_backbone_corresponds_to_its_float_form(arch):
    model = randomise(build_model(spec_of(arch)))
    x = clips(model, 2)
    found = layer_errors(to_int8(model, x), to_float(model), x)
    layers = {layer.name for layer in model.layers} | {"features", "logits"}
    unknown = {layer.layer for layer in found.layers if layer.layer not in layers
               and layer.layer.rsplit("/", 1)[0] not in layers}
    assert unknown == set()
    assert found.clips == 2
    assert min(layer.sqnr_db for layer in found.layers) > 5
