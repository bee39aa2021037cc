"""``tfser build``: what the folder holds, that it repeats, and what stops it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

HAS_CHIP = shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")
needs_chip = pytest.mark.skipif(not HAS_CHIP, reason="needs arm-none-eabi-gcc and qemu-system-arm "
                                                     "(tools/setup.sh toolchain)")
CONTRACT = {"model.tflite", "features.json", "manifest.json", "certificate.json", "card.md", "firmware",
            "memory.svg", "report.html", *(["firmware.elf"] if HAS_CHIP else [])}


@pytest.fixture(scope="module")
def built(run_folder, tmp_path_factory) -> Path:
    """The build of a small training."""
    from tfser.cli.main import main

    out = tmp_path_factory.mktemp("builds") / "first"
    assert main(["build", "--checkpoint", str(run_folder), "--target", "cortex-m7", "--out", str(out)]) == 0
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_folder_holds_what_the_contract_lists(built):
    assert {path.name for path in built.iterdir()} == CONTRACT


def test_the_manifest_lists_every_other_file_with_its_hash(built):
    files = contents(built)
    del files["manifest.json"]
    assert manifest_of(built)["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_the_card_is_that_of_the_checkpoint(built, run_folder):
    assert (built / "card.md").read_text() == (run_folder / "card.md").read_text()
    assert manifest_of(built)["card"] == json.loads((run_folder / "card.json").read_text())
    assert "Intervals over the 12 recordings of these speakers alone" in (built / "report.html").read_text()


def test_the_split_is_named_alike_in_checkpoint_manifest_and_header(built, run_folder):
    trained = json.loads((run_folder / "metrics.json").read_text())["split"]
    assert manifest_of(built)["split"] == trained and manifest_of(built)["split_fingerprint"] == trained["fingerprint"]
    header = (built / "firmware/tfser.h").read_text()
    assert f'#define TFSER_SPLIT_FINGERPRINT "{trained["fingerprint"]}"\n' in header
    assert "OVERLAP" not in header


def test_a_figure_is_measured_or_has_a_reason(built):
    manifest = manifest_of(built)
    assert manifest["measured"]["model_bytes"] == (built / "model.tflite").stat().st_size
    for name, value in manifest["measured"].items():
        assert isinstance(value, int) or manifest["reasons"][name]


@needs_chip
def test_the_image_is_measured_and_proven(built):
    manifest = manifest_of(built)
    assert all(type(value) is int for value in manifest["measured"].values())
    assert {figure["kind"] for figure in manifest["size"]["figures"].values()} == {"measured"}
    (image,) = (check for check in manifest["validation"]["checks"] if check["name"] == "image")
    assert image["image_inputs"] == 4
    assert "mps2-an500" in image["detail"]
    page = (built / "report.html").read_text()
    assert f"{manifest['measured']['instructions_per_inference']:,}" in page
    parts = [part for step in manifest["plan"]["steps"] for part in step["parts"]]
    assert [part["step"] for part in manifest["profile"]] == parts
    assert all(part["instructions"] > 0 for part in manifest["profile"])
    assert parts[-1].replace("operator ", "") in page
    spent = sum(part["instructions"] for part in manifest["profile"])
    assert abs(spent / manifest["measured"]["instructions_per_inference"] - 1) < 0.05


def test_the_plan_is_in_the_manifest_and_drawn_in_the_report(built):
    plan = manifest_of(built)["plan"]
    assert plan["arena_bytes"] == manifest_of(built)["measured"]["arena_bytes"] >= plan["lower_bound_bytes"]
    kinds = [buffer["kind"] for buffer in plan["buffers"]]
    assert (kinds.count("input"), kinds.count("output")) == (1, 1)
    drawn = (built / "memory.svg").read_text().count("<rect")
    assert (built / "report.html").read_text().count("<rect class=\"box") == drawn >= len(kinds)


def test_without_tools_the_sources_are_delivered(built, run_folder, tmp_path, monkeypatch, tfser):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert tfser("build", "--checkpoint", run_folder, "--target", "cortex-m7", "--out", tmp_path / "b").code == 0
    assert contents(tmp_path / "b" / "firmware") == contents(built / "firmware")
    manifest = manifest_of(tmp_path / "b")
    assert manifest["reasons"]["firmware_elf_bytes"] == "arm-none-eabi-gcc is not installed"
    assert not (tmp_path / "b" / "firmware.elf").exists()


@pytest.mark.parametrize(("name", "array", "code"), [
    ("tfser_weights.c", r"\{\s*", "TF-BUILD-02"),
    ("tfser_feature_tables.c", r"table_addend\[\d+\] = \{\s*", "TF-BUILD-03"),
    ("tfser_feature_tables.c", r"table_mel\[\d+\] = \{\s*", "TF-BUILD-03"),
])
def test_firmware_that_gives_something_else_is_not_delivered(name, array, code, run_folder, tmp_path, monkeypatch,
                                                             tfser):
    from tfser.cli import build_folder

    compile_application = build_folder.compile_application

    def nudged(*model):
        """The first number of an array has the other sign, or is not 0."""
        compiled = compile_application(*model)
        files = dict(compiled.files)
        files[name] = re.sub(rf"({array})(-?[\d.]+)", lambda found: f"{found[1]}{'' if found[2][0] == '-' else '-'}"
                             f"{found[2].lstrip('-') if float(found[2]) else '100'}", files[name], count=1)
        assert files[name] != compiled.files[name]
        return dataclasses.replace(compiled, files=files)

    monkeypatch.setattr(build_folder, "compile_application", nudged)
    result = tfser("build", "--checkpoint", run_folder, "--target", "cortex-m7", "--out", tmp_path / "b")
    assert result.code == 1
    assert code in result.err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("runner", [pytest.param("qemu", marks=needs_chip), "host"])
def test_a_recording_gets_the_label_that_predict_gives(built, runner, corpus_folder, tfser):
    recording = sorted(corpus_folder.rglob("*.wav"))[0]
    predicted = tfser("predict", built / "model.tflite", recording, "--json").json()
    assert tfser("run", built, "--input", recording, "--runner", runner).out.splitlines()[0] == predicted["label"]


@needs_chip
def test_what_listening_takes_is_in_the_manifest(built):
    manifest = manifest_of(built)
    measured, features = manifest["measured"], manifest["features"]
    window = 3 * features["frames"] * features["mel_bands"]
    assert window < measured["application_bytes"] <= window + 8192
    assert 500_000 < measured["frontend_instructions_per_second"] < 1_500_000
    (board,) = (entry for entry in manifest["real_time"]["boards"] if entry["board"] == "nucleo-f767zi")
    spent = measured["frontend_instructions_per_second"] + 2 * (
        measured["decision_instructions"] + measured["instructions_per_inference"])
    assert board["share"] == pytest.approx(spent / 216e6, abs=1e-6)
    (heard,) = (check for check in manifest["validation"]["checks"] if check["name"] == "front end")
    assert heard["features"] == 3 * 4000 and heard["features_equal"] >= 0.999 * heard["features"]


def test_no_artefact_names_a_place_or_a_time(built, tmp_path_factory):
    text = "".join(data.decode("utf-8", "ignore") for name, data in contents(built).items() if name != "model.tflite")
    assert str(tmp_path_factory.getbasetemp()) not in text
    assert not re.search(r"20\d\d-\d\d-\d\d[T ]\d\d:", text)


def test_the_same_checkpoint_gives_the_same_bytes(built, run_folder, tmp_path, tfser):
    assert tfser("build", "--checkpoint", run_folder / "checkpoint.npz", "--target", "cortex-m7",
                 "--out", tmp_path / "again").code == 0
    again = contents(tmp_path / "again")
    assert again.keys() == contents(built).keys()
    assert [name for name, data in contents(built).items() if again[name] != data] == []


def test_the_self_test_is_what_tflite_micro_returns(built):
    from tflite_micro import runtime

    source = (built / "firmware/tflite_micro/self_test_data.c").read_text()
    arrays = [np.array(re.findall(r"-?\d+", body), int) for body in re.findall(r"\] = \{([^}]*)\}", source)]
    interpreter = runtime.Interpreter.from_bytes((built / "model.tflite").read_bytes())
    interpreter.set_input(arrays[0].astype(np.int8).reshape(1, 100, 40), 0)
    interpreter.invoke()
    assert interpreter.get_output(0).ravel().tolist() == arrays[1].tolist()


def test_over_budget_is_written_and_fails(run_folder, tmp_path, tfser):
    budget = tmp_path / "budget.toml"
    budget.write_text('[boards.nrf52840-dk]\nram = "4 KiB"\n')
    result = tfser("build", "--checkpoint", run_folder, "--target", "nrf52840-dk", "--budget", budget,
                   "--out", tmp_path / "b", "--json")
    assert result.code == 1
    assert result.json()["schema_version"] == 1
    assert result.json()["size"]["board"] == "nrf52840-dk"
    assert [verdict["ok"] for verdict in result.json()["size"]["budget"]] == [True, False]
    assert result.json()["validation"]["passed"] is True
    assert "ram" in result.err and "largest" in result.err
    assert (tmp_path / "b" / "manifest.json").is_file()


@pytest.mark.parametrize(("arguments", "code"), [
    (["--target", "cortex-m9"], 2),
    (["--target", "cortex-m7", "--arch", "conformer", "--checkpoint", "x.npz"], 2),
    (["--target", "cortex-m7", "--checkpoint", "absent.npz"], 2),
    (["--target", "cortex-m7", "--budget", "absent.toml"], 2),
    (["--arch", "conformer"], 2),
])
def test_wrong_usage(arguments, code, tmp_path, tfser):
    result = tfser("build", *arguments, "--out", tmp_path / "out")
    assert result.code == code
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no zip", bytes(1000)])
def test_a_damaged_checkpoint_leaves_the_old_build(content, built, tmp_path, tfser):
    out = shutil.copytree(built, tmp_path / "out")
    (tmp_path / "bad.npz").write_bytes(content)
    result = tfser("build", "--checkpoint", tmp_path / "bad.npz", "--target", "cortex-m7", "--out", out)
    assert result.code == 2
    assert contents(out) == contents(built)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "bad.npz"}


def test_a_checkpoint_without_its_calibration(run_folder, tmp_path, tfser):
    shutil.copy(run_folder / "checkpoint.npz", tmp_path)
    result = tfser("build", "--checkpoint", tmp_path / "checkpoint.npz", "--target", "cortex-m7",
                   "--out", tmp_path / "out")
    assert result.code == 2
    assert "TF-CAL-03" in result.err


def test_a_folder_of_somebody_else_is_not_touched(run_folder, tmp_path, tfser):
    out = tmp_path / "photos"
    out.mkdir()
    (out / "holiday.jpg").write_bytes(b"irreplaceable")
    result = tfser("build", "--checkpoint", run_folder, "--target", "cortex-m7", "--out", out)
    assert result.code == 2
    assert contents(out) == {"holiday.jpg": b"irreplaceable"}


def test_a_model_that_int8_ruins_is_not_delivered(run_folder, tmp_path, tfser):
    """One logit far below the others takes the whole int8 range: what is left of them is one step."""
    from tfser.models.checkpoint import load_checkpoint, save_checkpoint

    checkpoint, model = load_checkpoint(run_folder / "checkpoint.npz")
    kernel, bias = model.get_layer("head/logits").get_weights()
    bias[0], bias[-1] = -1e4, 5.0
    model.get_layer("head/logits").set_weights([kernel, bias])
    save_checkpoint(tmp_path / "checkpoint.npz", checkpoint, model)
    shutil.copy(run_folder / "calibration.npz", tmp_path)
    result = tfser("build", "--checkpoint", tmp_path / "checkpoint.npz", "--target", "cortex-m7",
                   "--out", tmp_path / "out")
    assert result.code == 1
    assert "TF-BUILD-01" in result.err and "agreement" in result.err
    assert not (tmp_path / "out").exists()
