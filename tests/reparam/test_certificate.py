"""The certificate of a merge, and that it fails when the merged model is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfser.errors import CheckFailed, InputError
from tfser.files import canonical_json
from tfser.keras import keras
from tfser.reparam.certificate import MERGE_ATOL, certify
from tfser.reparam.graph_pass import merge

layers = keras.layers
CLIPS = np.random.default_rng(0).standard_normal((40, 5, 6)).astype(np.float32)


@pytest.fixture
def before():
    """Two HRF pairs with a ReLU between them, logits of unit scale."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((5, 6), name="features")
    x = layers.Dense(32, name="ffn/hrf1", bias_initializer="normal")(x)
    x = layers.Dense(8, "relu", name="ffn")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    x = layers.Dense(12, name="logits/hrf1", bias_initializer="normal", use_bias=False)(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name="net")


def test_the_certificate_in_full(before):
    result = merge(before)
    certificate = certify(before, result.model, CLIPS, result)
    error = certificate.pop("max_abs_error")
    assert 0 < error <= MERGE_ATOL
    assert certificate == {
        "merged": [
            {"layers": ["ffn/hrf1", "ffn"], "kernels_before": [[6, 32], [32, 8]], "kernel_after": [6, 8]},
            {"layers": ["logits/hrf1", "logits"], "kernels_before": [[8, 12], [12, 3]], "kernel_after": [8, 3]},
        ],
        "refused": [],
        "parameters_before": 623, "parameters_after": 83,
        "float32_bytes_before": 2492, "float32_bytes_after": 332, "float32_bytes_saved": 2160,
        "inputs": 40, "tolerance": 1e-5, "decisions_agree": 40, "decisions_total": 40,
    }


def test_the_certificate_is_json_and_the_same_twice(before):
    first, second = (canonical_json(certify(before, result.model, CLIPS, result))
                     for result in (merge(before), merge(before)))
    assert first == second and json.loads(first)["inputs"] == 40


def test_what_was_refused_is_in_it_with_the_reason():
    inputs = keras.Input((6,))
    x = layers.Dense(8, "relu", name="a")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="b")(x))
    result = merge(model)
    certificate = certify(model, result.model, CLIPS[:, 0], result)
    assert certificate["refused"] == [{"layers": ["a", "b"], "reason": "activation 'relu' of 'a'"}]
    assert certificate["merged"] == [] and certificate["float32_bytes_saved"] == 0
    assert certificate["max_abs_error"] == 0


@pytest.mark.parametrize("name", ["ffn", "logits"])
def test_one_nudged_weight_fails(before, name):
    result = merge(before)
    layer = result.model.get_layer(name)
    kernel, bias = layer.get_weights()
    kernel[1, 2] += 1e-3
    layer.set_weights([kernel, bias])
    with pytest.raises(CheckFailed, match="logits of the merged model differ by up to") as caught:
        certify(before, result.model, CLIPS, result)
    assert caught.value.code == "TF-CERT-04" and caught.value.exit_code == 1


def test_permuted_outputs_fail(before):
    result = merge(before)
    layer = result.model.get_layer("logits")
    layer.set_weights([weight[..., [1, 0, 2]] for weight in layer.get_weights()])
    with pytest.raises(CheckFailed) as caught:
        certify(before, result.model, CLIPS, result)
    assert caught.value.code == "TF-CERT-04"


def test_a_changed_decision_fails_even_within_the_tolerance():
    def tied(order):
        inputs = keras.Input((1,))
        model = keras.Model(inputs, layers.Dense(2)(inputs))
        model.set_weights([np.zeros((1, 2)), np.array([0.0, 1e-6])[order]])
        return model

    before = tied([0, 1])
    with pytest.raises(CheckFailed, match="7 of 7 decisions changed") as caught:
        certify(before, tied([1, 0]), np.zeros((7, 1), np.float32), merge(before))
    assert caught.value.code == "TF-CERT-05"


def test_outputs_that_are_not_finite_fail(before):
    result = merge(before)
    clips = CLIPS.copy()
    clips[3, 2, 1] = np.nan
    with pytest.raises(CheckFailed, match="model 'net' returns NaN or infinity") as caught:
        certify(before, result.model, clips, result)
    assert caught.value.code == "TF-CERT-02"


def test_a_model_of_another_shape_fails(before):
    other = keras.Model(before.input, before.get_layer("mean").output)
    with pytest.raises(CheckFailed, match=r"returns shapes \[\(40, 8\)\]") as caught:
        certify(before, other, CLIPS, merge(before))
    assert caught.value.code == "TF-CERT-03"


def test_no_input_is_no_certificate(before):
    result = merge(before)
    with pytest.raises(InputError, match="no input to certify") as caught:
        certify(before, result.model, CLIPS[:0], result)
    assert caught.value.code == "TF-CERT-01"


def test_several_inputs_and_outputs():
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    x = layers.Dense(4, name="b")(layers.Dense(9, name="a")(layers.Add()([left, right])))
    model = keras.Model([left, right], {"emotion": x, "arousal": layers.Dense(2, name="c")(left)})
    result = merge(model)
    certificate = certify(model, result.model, [CLIPS[:, 0], CLIPS[:, 1]], result)
    assert (certificate["inputs"], certificate["decisions_agree"], certificate["decisions_total"]) == (40, 80, 80)
