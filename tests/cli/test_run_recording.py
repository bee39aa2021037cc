"""``tfser run`` with a recording: through the real firmware, to the label that ``tfser predict`` gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_corpus import RATE_HZ, tone

from firmware_gen.target import BOARDS, CORES

needs_chip = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
#: Of a probability: a feature at the edge between two codes may be one step apart in C and in Python.
FEATURE_STEP_ATOL = 0.01


def write(path: Path, *parts: np.ndarray, rate_hz: int = RATE_HZ, **options) -> Path:
    soundfile.write(path, np.concatenate(parts), rate_hz, **options)
    return path


@pytest.fixture
def recording(tmp_path) -> Path:
    """Five seconds with silence in the middle, the last sample not on a hop."""
    silence = np.zeros(3 * RATE_HZ)
    return write(tmp_path / "clip.wav", tone(440, seconds=2.2), silence, tone(220, seconds=1.513))


def run(tfser, model, path, *options):
    result = tfser("run", model, "--target", "cortex-m4", "--input", path, "--json", *options)
    assert result.code == 0, result.err
    return result.json()


def assert_as_predicted(tfser, model, path, found) -> None:
    predicted = tfser("predict", model, path, "--json").json()
    assert (found["label"], found["clips"]) == (predicted["label"], predicted["clips"])
    values, expected = (list(answer["probabilities"].values()) for answer in (found, predicted))
    np.testing.assert_allclose(values, expected, atol=FEATURE_STEP_ATOL)
    assert found["probabilities"].keys() == predicted["probabilities"].keys()


@needs_chip
@pytest.mark.parametrize("core", CORES)
def test_every_core_hears_what_predict_hears(core, tfser, int8_folder, recording):
    found = run(tfser, int8_folder / "model.tflite", recording, "--target", core)
    assert_as_predicted(tfser, int8_folder / "model.tflite", recording, found)
    assert found["clips"] == 5  # a sixth window is silent
    assert np.shape(found["outputs"]) == (5, 1, 7)


def test_so_does_this_machine(tfser, int8_folder, recording):
    found = run(tfser, int8_folder / "model.tflite", recording, "--runner", "host")
    assert_as_predicted(tfser, int8_folder / "model.tflite", recording, found)
    assert found["frontend_instructions_per_second"] is None
    assert {board["share"] for board in found["real_time"]["boards"]} == {None}


@pytest.mark.parametrize(("name", "options"), [
    ("stereo.wav", {}), ("high.wav", {"rate_hz": 44_100}), ("low.wav", {"rate_hz": 8_000}),
    ("bytes.wav", {"subtype": "PCM_U8"}), ("deep.flac", {"subtype": "PCM_24"}), ("float.wav", {"subtype": "FLOAT"}),
])
def test_other_formats(name, options, tfser, int8_folder, tmp_path):
    y = 1.3 * tone(330, seconds=1.7) + 0.01
    path = write(tmp_path / name, np.stack([y, 0.5 * y], axis=1) if name == "stereo.wav" else y, **options)
    found = run(tfser, int8_folder / "model.tflite", path, "--runner", "host")
    assert_as_predicted(tfser, int8_folder / "model.tflite", path, found)


@needs_chip
def test_the_share_of_real_time(tfser, int8_folder, recording):
    found, seldom, everywhere = (run(tfser, int8_folder / "model.tflite", recording, *options)
                                 for options in ((), ("--decide-every", "2"), ("--all-boards",)))
    beside = found["decision_instructions"] + found["instructions_per_inference"]
    for answer, decisions in ((found, 2), (seldom, 0.5), (everywhere, 2)):
        per_second = answer["frontend_instructions_per_second"] + decisions * beside
        boards = {entry["board"]: entry for entry in answer["real_time"]["boards"]}
        assert boards.keys() == BOARDS.keys()
        assert boards["nrf52840-dk"]["share"] == pytest.approx(per_second / 64e6, rel=1e-5)
    counted = {entry["core"] for entry in found["real_time"]["boards"] if entry["share"] is not None}
    assert counted == {"cortex-m4"}
    assert all(0 < entry["share"] < 1 for entry in everywhere["real_time"]["boards"])
    too_small = {entry["board"] for entry in everywhere["real_time"]["boards"] if not entry["fits"]}
    assert too_small == {"nucleo-f103rb"}  # 20 KiB of RAM
    text = tfser("run", int8_folder / "model.tflite", "--target", "cortex-m4", "--input", recording).out
    assert all(said in text for said in ("one instruction per cycle", "nrf52840-dk", "--all-boards"))
    assert "too little memory" not in text


@needs_chip
def test_a_profile_of_what_was_heard(tfser, int8_folder, recording):
    found = run(tfser, int8_folder / "model.tflite", recording, "--profile")
    spent = sum(step["instructions"] for step in found["profile"])
    assert abs(spent / found["instructions_per_inference"] - 1) < 0.05


def test_recordings_that_cannot_be_heard(tfser, int8_folder, recording, tmp_path):
    model = int8_folder / "model.tflite"
    (tmp_path / "text.wav").write_text("no sound")
    silent = write(tmp_path / "silent.wav", np.zeros(RATE_HZ))
    alone = shutil.copy(model, tmp_path / "alone.tflite")
    for given, path, code in ((model, tmp_path / "none.wav", "TF-SIM-05"), (model, tmp_path, "TF-SIM-05"),
                              (model, tmp_path / "text.wav", "TF-AUDIO-03"), (model, silent, "TF-AUDIO-07"),
                              (alone, recording, "TF-SIM-06")):
        result = tfser("run", given, "--target", "cortex-m4", "--input", path, "--runner", "host")
        assert (result.code, result.out) == (2, "")
        assert code in result.err


def test_features_of_another_model(tfser, int8_folder, recording, tmp_path):
    shutil.copy(int8_folder / "model.tflite", tmp_path)
    document = json.loads((int8_folder / "features.json").read_text())
    document["input"]["scale"] *= 2
    (tmp_path / "features.json").write_text(json.dumps(document))
    result = tfser("run", tmp_path / "model.tflite", "--target", "cortex-m4", "--input", recording, "--runner", "host")
    assert result.code == 2
    assert "FG-FEAT-07" in result.err


@pytest.mark.parametrize("options", [("--all-boards", "--runner", "host"), ("--decide-every", "0"),
                                     ("--decide-every", "often")])
def test_options_that_make_no_sense(options, tfser, int8_folder, recording):
    result = tfser("run", int8_folder / "model.tflite", "--target", "cortex-m4", "--input", recording, *options)
    assert (result.code, result.out) == (2, "")
