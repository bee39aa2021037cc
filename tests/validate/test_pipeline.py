"""All checks of a model as one result."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_runtimes import crasher
from tflite_builder import edit, small_model

from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.accuracy import Truth
from tfser.validate.pipeline import validate_model
from tfser.validate.runtimes import run_tflite_micro


def validate(content, inputs=None, **reference):
    validation = validate_model(read_tflite(content), content, inputs, **reference)
    json.dumps(validation.to_dict(), allow_nan=False)
    return validation, {check.name: check for check in validation.checks}


@pytest.mark.parametrize("name", ["kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant", "conformer_bn"])
def test_third_party_models_pass(shared_models, name):
    validation, checks = validate((shared_models / f"{name}.tflite").read_bytes())
    assert validation.passed and all(check.passed for check in validation.checks)
    assert list(checks) == ["structure", "shapes", "operators", "int8", "parity", "arena"]
    assert validation.figure("arena_bytes") == checks["arena"].figures["arena_bytes"] > 0


def test_float_island_fails_int8_alone(shared_models):
    validation, checks = validate((shared_models / "conformer_ln.tflite").read_bytes())
    assert not validation.passed
    assert [name for name, check in checks.items() if not check.passed] == ["int8"]
    assert "NEG" in checks["int8"].detail and checks["int8"].figures["errors"] == 7
    assert checks["parity"].figures["first_diverging_operator"]["name"] == "FULLY_CONNECTED"


def test_what_cannot_run_is_not_run():
    validation, checks = validate(edit(small_model(), lambda m: setattr(m.operatorCodes[0], "version", 12)))
    assert not validation.passed and checks["runtimes"].passed is None
    assert validation.figure("arena_bytes") is None and "parity" not in checks


def test_a_crash_is_a_failed_check():
    validation, checks = validate(crasher())
    assert not validation.passed and checks["runtimes"].passed is False
    assert checks["runtimes"].figures["code"] == "TF-RUN-04" and "SIGABRT" in checks["runtimes"].detail


def test_real_inputs_with_float_outputs_and_labels():
    """The model against itself agrees; against itself with one weight nudged it does not."""
    inputs = np.random.default_rng(0).integers(-128, 128, (40, 1, 8), dtype=np.int8)
    logits = run_tflite_micro(small_model(), inputs).astype(np.float32)
    truth = Truth(logits.argmax(axis=1), ("a", "b", "c", "d"), ["s"] * 40, np.full(40, True), "all speakers",
                  np.arange(40))
    validation, checks = validate(small_model(), inputs, logits=logits, truth=truth)
    assert validation.passed
    assert checks["agreement"].figures["share"] == 1.0 and checks["accuracy"].figures["wa"] == 1.0
    assert checks["parity"].figures["inputs"] == 40 and checks["parity"].figures["real_inputs"]

    def nudge(model):
        weights = model.buffers[1].data = np.array(model.buffers[1].data)
        weights[24] ^= 0x80

    validation, checks = validate(edit(small_model(), nudge), inputs, logits=logits, truth=truth)
    assert not validation.passed and checks["parity"].passed
    assert not checks["agreement"].passed and checks["agreement"].figures["share"] < 0.95
    assert checks["accuracy"].figures["wa"] == checks["agreement"].figures["share"]
