"""What the model builder refuses, and that whatever it builds runs on TensorFlow Lite Micro."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from random_models import clips, every_layer, randomise, spec_of

from tfser.convert.canonical import parse
from tfser.convert.tflite import operator_counts, to_int8
from tfser.errors import InputError
from tfser.models.build import build_model, defaults_of, sites_of
from tfser.spec import ACTIVATIONS, ARCHITECTURES, HRF_SITES, NORMS, HrfSpec
from tfser.validate.micro_support import KERNELS
from tfser.validate.runtimes import run_tflite_micro

VARIANTS = [*(("batch", activation) for activation in ACTIVATIONS), ("layer", "relu")]


# --- refusals -----------------------------------------------------------------------------------------------
REFUSED = {
    "architecture": ({"arch": "wav2vec"}, "TF-MODEL-01", "architecture 'wav2vec'", "conformer, convtransformer"),
    "size": ({"size": "large"}, "TF-MODEL-01", "size 'large'", "small, base"),
    "norm": ({"norm": "rms"}, "TF-MODEL-01", "norm 'rms'", "batch, layer"),
    "activation": ({"activation": "gelu"}, "TF-OP-03", "'gelu' has no int8 kernel", "relu, relu6, hard_swish, swish"),
    "one label": ({"labels": ("anger",)}, "TF-MODEL-02", "['anger']", "two or more"),
    "duplicate labels": ({"labels": ("a", "b", "a")}, "TF-MODEL-02", "['a', 'b', 'a']", "different"),
    "dropout of everything": ({"dropout": 1.0}, "TF-MODEL-03", "dropout 1.0", "[0, 1)"),
    "negative dropout": ({"dropout": -0.1}, "TF-MODEL-03", "dropout -0.1", "[0, 1)"),
    "frames": ({"frames": 101}, "TF-MODEL-04", "101 frames x 40 bands for convtransformer", "100 x 40"),
    "bands": ({"mel_bands": 64}, "TF-MODEL-04", "100 frames x 64 bands", "100 x 40"),
    "frames of another backbone": ({"arch": "speechformer"}, "TF-MODEL-04", "100 frames x 40", "200 x 40"),
    "HRF ratio": ({"hrf": HrfSpec(ratio=3)}, "TF-MODEL-01", "HRF ratio 3", "2, 4, 8"),
    "HRF depth 1": ({"hrf": HrfSpec(depth=1, sites=("ffn1",))}, "TF-MODEL-01", "HRF depth 1", "2, 3"),
    "HRF depth 4": ({"hrf": HrfSpec(depth=4, sites=("ffn1",))}, "TF-MODEL-01", "HRF depth 4", "2, 3"),
    "no HRF site": ({"hrf": HrfSpec(sites=())}, "TF-HRF-02", "without a site", "ffn1, attention, conv"),
    "unknown HRF site": ({"hrf": HrfSpec(sites=("ffn1", "head"))}, "TF-HRF-03", "'head'", "ffn1, attention, conv"),
    "HRF site of another backbone": ({"hrf": HrfSpec(sites=("ffn2",))}, "TF-HRF-03", "'ffn2'", "of convtransformer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case):
    changes, code, received, expected = REFUSED[case]
    with pytest.raises(InputError) as raised:
        build_model(dataclasses.replace(spec_of("convtransformer"), **changes))
    assert raised.value.code == code
    assert received in raised.value.received
    assert expected in raised.value.expected


def test_the_refusal_of_an_activation_says_what_to_do():
    with pytest.raises(InputError) as raised:
        build_model(spec_of("conformer", activation="gelu"))
    assert raised.value.fix == "train with --activation swish"
    assert all(activation in raised.value.expected for activation in ACTIVATIONS)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_defaults_and_sites_are_among_those_that_a_specification_knows(arch):
    assert defaults_of(arch).ACTIVATION in ACTIVATIONS
    assert set(sites_of(arch)) <= set(HRF_SITES)
    with pytest.raises(InputError, match="TF-MODEL-01"):
        defaults_of(arch.upper())


# --- no operator that TensorFlow Lite Micro lacks can be built ------------------------------------------------
# The proof has three parts: every layer of every model that can be built is of a kind that a small model
# has too; the small models convert to operators that have an int8 kernel; and the interpreter runs them.
def kinds(model):
    """Types of the model's layers, with the activation where there is one."""
    return {(type(layer).__name__, getattr(getattr(layer, "activation", None), "__name__", None))
            for layer in model.layers if type(layer).__name__ != "Dropout"}  # the identity at inference


@functools.cache
def small_model(norm, activation):
    return randomise(every_layer(norm, activation))


@functools.cache
def converted(norm, activation):
    model = small_model(norm, activation)
    return to_int8(model, clips(model, 8))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_layer_is_of_a_kind_that_is_tried(arch, norm):
    built = build_model(spec_of(arch, norm=norm, activation="relu"))
    assert kinds(built) <= kinds(small_model(norm, "relu"))
    assert kinds(build_model(spec_of(arch, norm=norm, activation="relu", size="base"))) == kinds(built)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_brings_its_own_layer_and_no_other(activation):
    own = kinds(build_model(spec_of("convtransformer", activation=activation)))
    assert own <= kinds(small_model("batch", activation))
    assert len(own - kinds(build_model(spec_of("convtransformer", activation="relu")))) == (
        activation not in ("relu", "relu6"))  # one layer with another limit


@pytest.mark.parametrize(("norm", "activation"), VARIANTS)
def test_every_operator_has_an_int8_kernel(norm, activation):
    operators = operator_counts(parse(converted(norm, activation)))
    assert set(operators) >= {"ADD", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "LOGISTIC", "MEAN", "MUL",
                              "RESHAPE", "SOFTMAX", "TRANSPOSE"}
    assert {name for name in operators if name not in KERNELS or "int8" not in KERNELS[name].types} == set()


@pytest.mark.parametrize(("norm", "activation"), VARIANTS)
def test_the_interpreter_runs_it(norm, activation):
    """What it computes follows the float model, as closely as int8 lets random weights."""
    model, content = small_model(norm, activation), converted(norm, activation)
    graph = parse(content).subgraphs[0]
    given, made = (graph.tensors[int(i[0])].quantization for i in (graph.inputs, graph.outputs))
    x = clips(model, 16, seed=3)
    codes = np.clip(np.rint(x / given.scale[0]) + given.zeroPoint[0], -128, 127).astype(np.int8)
    outputs = run_tflite_micro(content, codes)
    assert np.unique(outputs).size > 8
    logits = (outputs.astype(np.float64) - made.zeroPoint[0]) * made.scale[0]
    expected = model(x, training=False).numpy()
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.9
