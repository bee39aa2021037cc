"""``tfser build``: ways to quantise, what the manifest says of them, and models for TensorFlow Lite Micro alone."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tfser.cli.main import main
from tfser.cli.micro_folder import REASON


@pytest.fixture(scope="module")
def built(run_folder, tmp_path_factory) -> Path:
    """With 16-bit activations."""
    out = tmp_path_factory.mktemp("builds") / "int16"
    assert main(["build", "--checkpoint", str(run_folder), "--target", "cortex-m7", "--activations", "int16",
                 "--out", str(out)]) == 0
    return out


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_folder_holds_everything_but_generated_c(built):
    assert {path.name for path in built.iterdir()} == {"model.tflite", "features.json", "manifest.json", "card.md",
                                                       "certificate.json", "firmware", "report.html"}
    assert [path.name for path in (built / "firmware").iterdir()] == ["tflite_micro"]


def test_what_only_generated_c_has_is_null_with_the_reason(built):
    manifest = manifest_of(built)
    measured = manifest["measured"]
    assert measured.pop("model_bytes") == (built / "model.tflite").stat().st_size
    assert set(measured.values()) == {None}
    assert len(measured) > 8
    assert manifest["plan"] is manifest["size"] is manifest["real_time"] is None
    assert {manifest["reasons"][name] for name in (*measured, "plan", "size")} == {REASON}


def test_it_was_validated_under_tensorflow_lite_micro(built):
    checks = {check["name"]: check for check in manifest_of(built)["validation"]["checks"]}
    assert checks["arena"]["arena_bytes"] > 0
    assert checks["agreement"]["agree"] == checks["agreement"]["clips"] > 8
    assert checks["int8"]["detail"].startswith("int16 input, output")


def test_the_application_holds_sixteen_bit_data(built):
    folder = built / "firmware" / "tflite_micro"
    assert re.search(r"const int16_t tfser_self_test_input\[4000\]", (folder / "self_test_data.c").read_text())
    main_cc = (folder / "main.cc").read_text()
    assert "output->data.int16[i]" in main_cc
    assert "@" not in main_cc


def test_predict_evaluate_and_report_read_it(built, tfser, corpus_folder):
    recording = sorted(corpus_folder.glob("*.wav"))[0]
    assert tfser("predict", built / "model.tflite", recording, "--json").code == 0
    scores = tfser("evaluate", built / "model.tflite", "--corpus", "emodb", "--root", corpus_folder, "--json")
    assert scores.json()["utterances"] == 12
    assert tfser("report", built).code == 0


def test_the_report_names_the_worst_layer(built, run_folder, tfser):
    assert tfser("report", built, "--against", run_folder / "checkpoint.npz", "--layers").code == 0
    errors = manifest_of(built)["layer_errors"]
    assert errors["worst"] == max(errors["layers"], key=lambda layer: layer["logit_share"])["layer"]
    assert f"Worst layer: <code>{errors['worst']}</code>" in (built / "report.html").read_text()
    assert tfser("report", built).code == 0  # and keeps it
    assert manifest_of(built)["layer_errors"] == errors
    assert tfser("report", built, "--layers").code == 2


@pytest.mark.parametrize(("arguments", "code"), [
    (["size", "BUILT"], "FG-SIZE-01"), (["run", "BUILT", "--input", "x.npy"], "TF-SIM-01"),
    (["compile", "BUILT/model.tflite", "--target", "cortex-m4", "--out", "OUT"], "FG-OP-56")])
def test_commands_of_generated_c_say_that_there_is_none(built, tfser, tmp_path, arguments, code):
    np.save(tmp_path / "x.npy", np.zeros((1, 100, 40), np.int8))
    given = [argument.replace("BUILT", str(built)).replace("OUT", str(tmp_path / "out"))
             .replace("x.npy", str(tmp_path / "x.npy")) for argument in arguments]
    result = tfser(*given)
    assert result.code == 2
    assert code in result.err
    assert "int16" in result.err or REASON in result.err


@pytest.mark.parametrize("arguments", [
    ["--percentile", "99.9"], ["--calibration", "minmax", "--percentile", "99.9"],
    ["--calibration", "percentile", "--percentile", "100"], ["--calibration", "percentile", "--percentile", "50"],
    ["--calibration", "entropy"], ["--activations", "int4"], ["--activations", "int16", "--calibration", "percentile"],
    ["--activations", "int16", "--budget", "budget.toml"], ["--activations", "int16", "--export", "cmake"]])
def test_options_that_do_not_go_together(run_folder, tmp_path, tfser, arguments):
    result = tfser("build", "--checkpoint", run_folder, "--target", "cortex-m7", "--out", tmp_path / "b", *arguments)
    assert (result.code, "TF-USE-01" in result.err) == (2, True), result.err
    assert not (tmp_path / "b").exists()


def test_an_operator_without_a_kernel_is_named_with_its_layer(run_folder, tmp_path, tfser):
    from tfser.models.build import build_model
    from tfser.models.checkpoint import read_checkpoint, save_checkpoint

    checkpoint, _ = read_checkpoint(run_folder / "checkpoint.npz")
    spec = dataclasses.replace(checkpoint.model, activation="tanh")
    save_checkpoint(tmp_path / "checkpoint.npz", dataclasses.replace(checkpoint, model=spec), build_model(spec))
    shutil.copy(run_folder / "calibration.npz", tmp_path)
    result = tfser("build", "--checkpoint", tmp_path / "checkpoint.npz", "--target", "cortex-m7", "--activations",
                   "int16", "--out", tmp_path / "b")
    assert result.code == 1
    assert re.search(r"TF-BUILD-04: 16-bit activations: TANH \(operator \d+, layer 'block1/ffn1/activation'\)",
                     result.err)
    assert not (tmp_path / "b").exists()


# --- calibration -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bundles(run_folder):
    from tfser.convert.bundle import Method, make_bundle

    return {name: make_bundle(run_folder, method) for name, method in
            (("default", None), ("minmax", Method()), ("percentile", Method(percentile=99.0)))}


def test_the_default_holds_every_value_of_the_clips(bundles):
    assert bundles["default"].content == bundles["minmax"].content
    assert bundles["default"].quantisation == bundles["minmax"].quantisation


def test_a_percentile_gives_finer_steps(bundles):
    from tfser.convert.canonical import parse

    def steps(bundle):
        return {tensor.name: tensor.quantization.scale[0] for tensor in parse(bundle.content).subgraphs[0].tensors
                if tensor.name and len(tensor.quantization.scale) == 1}

    wide, narrow = steps(bundles["minmax"]), steps(bundles["percentile"])
    assert wide.keys() == narrow.keys()
    finer = [name for name in wide if narrow[name] < 0.99 * wide[name]]
    assert len(finer) > 15
    assert not [name for name in wide if narrow[name] > wide[name]]
    assert narrow[b"logits"] == wide[b"logits"]


def test_the_record_says_how_and_on_what(bundles):
    quantisation = bundles["percentile"].quantisation
    assert (quantisation["method"], quantisation["percentile"], quantisation["activations"]) == (
        "percentile", 99.0, "int8")
    assert quantisation["clips"] == sum(quantisation["clips_by_label"].values()) == 24
    assert quantisation["clips_by_label"] == {"anger": 6, "boredom": 6, "happiness": 6, "neutral": 6} | dict.fromkeys(
        quantisation["clips_by_label"].keys() - {"anger", "boredom", "happiness", "neutral"}, 0)
    assert sorted(quantisation["clips_by_speaker"].values()) == [12, 12]


def test_the_options_ask_for_what_they_say():
    from tfser.cli.quantisation_options import DEFAULT_PERCENTILE, method_of
    from tfser.convert.bundle import Method

    assert method_of(None, None, "int8") is None
    assert method_of("minmax", None, "int8") == Method("int8", None)
    assert method_of("percentile", None, "int8") == Method("int8", DEFAULT_PERCENTILE)
    assert method_of("percentile", 99.5, "int8") == Method("int8", 99.5)
    assert method_of("minmax", None, "int16") == method_of(None, None, "int16") == Method("int16", None)
