"""``tfser validate``: which files pass, which are reported, which cannot be read."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from converted_models import converted
from one_operator import build
from tflite_builder import edit, small_model

from firmware_gen.frontend.tflite import read_tflite

THIRD_PARTY = ("kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant")


@pytest.fixture
def write(tmp_path):
    """Put bytes into a file and give its path."""
    def put(content: bytes):
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        return path
    return put


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_third_party_models_pass(tfser, shared_models, name):
    result = tfser("validate", shared_models / f"{name}.tflite", "--json")
    assert result.code == 0, result.out
    answer = result.json()
    assert answer["schema_version"] == 1 and answer["passed"]
    checks = {check["name"]: check for check in answer["checks"]}
    assert all(check["passed"] for check in checks.values())
    assert checks["parity"]["max_step_difference"] == 0 and checks["arena"]["arena_bytes"] > 0


def test_float_island_is_reported(tfser, shared_models):
    result = tfser("validate", shared_models / "conformer_ln.tflite")
    assert result.code == 1
    assert "FAIL" in result.out and "NEG" in result.out and "TF-DOC-12" in result.out and "failed" in result.out
    assert "arena" in result.out  # the rest is still measured


def test_text_says_passed(tfser, write):
    result = tfser("validate", write(small_model()))
    assert result.code == 0
    for name in ("structure", "shapes", "operators", "int8", "parity", "arena", "passed"):
        assert name in result.out
    assert "running" in result.err and "running" not in result.out


@pytest.mark.parametrize("cut", [0, 3, 20, 500, -1])
def test_truncated_files_cannot_be_read(tfser, write, cut):
    path = write(small_model()[:cut])
    result = tfser("validate", path, "--json")
    assert result.code == 2 and result.out == ""
    assert "FG-TFL-" in result.err and str(path) in result.err and "Fix:" in result.err


@pytest.mark.parametrize("content", [b"\x7fELF" + bytes(4000), b"PK\x03\x04" + bytes(100), b"not a model at all\n" * 9])
def test_other_files_cannot_be_read(tfser, write, content):
    result = tfser("validate", write(content))
    assert result.code == 2 and "FG-TFL-03" in result.err and "Traceback" not in result.err


def test_missing_file_and_folder(tfser, tmp_path):
    for path in (tmp_path / "none.tflite", tmp_path):
        result = tfser("validate", path)
        assert result.code == 2 and "TF-FILE-01" in result.err and str(path) in result.err


@pytest.mark.parametrize(("kind", "code"), [("float", "TF-DOC-05"), ("hybrid", "TF-DOC-17"), ("dynamic", "TF-DOC-08"),
                                            ("gelu", "TF-DOC-14")])
def test_converted_models_that_no_device_runs(tfser, write, kind, code):
    result = tfser("validate", write(converted()[kind]), "--json")
    assert result.code == 1
    answer = result.json()
    assert code in {finding["code"] for finding in answer["findings"]} and not answer["passed"]
    assert [check["passed"] for check in answer["checks"] if check["name"] == "runtimes"] == [None]


def test_unknown_operator(tfser, write):
    def change(model):
        model.operatorCodes[0].builtinCode = 1234
    result = tfser("validate", write(edit(small_model(), change)))
    assert result.code == 1 and "BUILTIN_1234 (operator 0, layer 'dense/y')" in result.out.replace("\n", " ")


def test_a_file_that_crashes_the_interpreters(tfser, write):
    """Sound to the last bit, and both interpreters abort on its scale."""
    def change(model):
        model.subgraphs[0].tensors[0].quantization.scale = [1e-38]
    result = tfser("validate", write(edit(build("SOFTMAX", "int8"), change)), "--json")
    assert result.code == 1
    runtimes = result.json()["checks"][-1]
    assert runtimes["name"] == "runtimes" and runtimes["passed"] is False and "SIGABRT" in runtimes["detail"]


@pytest.mark.parametrize("arguments", [("--corpus", "emodb"), ("--root", "x"), ("--layers",),
                                       ("--corpus", "nowhere", "--root", "x")])
def test_usage(tfser, write, arguments):
    result = tfser("validate", write(small_model()), *arguments)
    assert result.code == 2 and "TF-USE-01" in result.err


def test_against_a_checkpoint_on_its_corpus(tfser, run_folder, int8_folder, corpus_folder):
    result = tfser("validate", int8_folder / "model.tflite", "--against", run_folder / "checkpoint.npz",
                   "--corpus", "emodb", "--root", corpus_folder, "--json")
    checks = {check["name"]: check for check in result.json()["checks"]}
    assert set(checks) >= {"parity", "arena", "agreement", "accuracy"}
    assert checks["parity"]["inputs"] == checks["agreement"]["clips"] == 48 and checks["parity"]["real_inputs"]
    assert checks["accuracy"]["utterances"] == 12 and list(checks["accuracy"]["speakers"]) == ["03"]
    assert checks["accuracy"]["whose"] == "test speakers of emodb"
    assert result.code == (0 if all(check["passed"] for check in checks.values()) else 1)


def test_against_a_checkpoint_on_the_clips_beside_it(tfser, run_folder, int8_folder, tmp_path):
    model, checkpoint = int8_folder / "model.tflite", run_folder / "checkpoint.npz"
    answer = tfser("validate", model, "--against", checkpoint, "--json").json()
    checks = {check["name"]: check for check in answer["checks"]}
    with np.load(checkpoint.with_name("calibration.npz"), allow_pickle=False) as calibration:
        assert checks["agreement"]["clips"] == checks["parity"]["inputs"] == len(calibration["labels"])
    assert "accuracy" not in checks
    alone = shutil.copy(checkpoint, tmp_path / "checkpoint.npz")
    result = tfser("validate", model, "--against", alone)
    assert result.code == 2 and "TF-VAL-03" in result.err


def test_layers_names_the_worst(tfser, run_folder, int8_folder):
    model, arguments = int8_folder / "model.tflite", ("--against", run_folder / "checkpoint.npz", "--layers")
    layers = tfser("validate", model, *arguments, "--json").json()["layers"]
    worst = max(layers["layers"], key=lambda layer: layer["logit_rms"])
    assert layers["worst"] == worst["layer"]
    assert layers["clips"] == 16
    text = tfser("validate", model, *arguments).out
    assert f"worst layer: {worst['layer']} (" in text
    assert all(layer["layer"] in text for layer in layers["layers"])


def test_layers_of_another_checkpoint(tfser, run_folder, int8_folder, tmp_path):
    """Of the same architecture, with weights of its own."""
    from random_models import randomise

    from tfser.models.checkpoint import load_checkpoint, save_checkpoint

    checkpoint, model = load_checkpoint(run_folder / "checkpoint.npz")
    save_checkpoint(tmp_path / "checkpoint.npz", checkpoint, randomise(model, seed=3))
    shutil.copy(run_folder / "calibration.npz", tmp_path)
    result = tfser("validate", int8_folder / "model.tflite", "--against", tmp_path / "checkpoint.npz", "--layers")
    assert (result.code, result.out) == (2, "")
    assert "TF-LAY-02" in result.err


def test_a_corpus_alone_uses_the_features_beside_the_model(tfser, int8_folder, corpus_folder):
    arguments = ("--corpus", "emodb", "--root", corpus_folder, "--json")
    expected = tfser("evaluate", int8_folder / "model.tflite", *arguments).json()
    answer = tfser("validate", int8_folder / "model.tflite", *arguments).json()
    checks = {check["name"]: check for check in answer["checks"]}
    assert "agreement" not in checks
    assert all(checks["accuracy"][name] == expected[name] for name in ("utterances", "wf1", "uar", "confusion"))


def test_nudged_weights_no_longer_agree(tfser, run_folder, int8_folder, corpus_folder, tmp_path):
    """The last layer's rows in reverse order: a sound file that decides otherwise."""
    folder = shutil.copytree(int8_folder, tmp_path / "nudged")
    content = bytearray((folder / "model.tflite").read_bytes())
    graph = read_tflite(bytes(content)).subgraphs[0]
    last = [operator for operator in graph.operators if operator.name in ("CONV_2D", "FULLY_CONNECTED")][-1]
    weights = graph.tensors[last.inputs[1]]
    rows = np.frombuffer(weights.data, np.int8).reshape(weights.shape)[::-1].tobytes()
    content[weights.data_offset:weights.data_offset + len(rows)] = rows
    (folder / "model.tflite").write_bytes(content)
    result = tfser("validate", folder / "model.tflite", "--against", run_folder / "checkpoint.npz",
                   "--corpus", "emodb", "--root", corpus_folder, "--json")
    checks = {check["name"]: check for check in result.json()["checks"]}
    assert result.code == 1 and checks["parity"]["passed"] and not checks["agreement"]["passed"]


def test_a_checkpoint_of_another_model(tfser, run_folder, corpus_folder, shared_models):
    result = tfser("validate", shared_models / "kws_ref_model.tflite", "--against", run_folder / "checkpoint.npz",
                   "--corpus", "emodb", "--root", corpus_folder)
    assert result.code == 2 and "TF-VAL-01" in result.err and "int8[1, 49, 10, 1]" in result.err
