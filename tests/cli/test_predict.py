"""``tfser predict``: the device's answer for a recording, and every recording that has none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_corpus import RATE_HZ, tone

from tfser.audio.io import from_pcm16, read_audio, to_pcm16
from tfser.features.document import read_features_json, write_features_json
from tfser.features.normalise import features

ROOT = Path(__file__).resolve().parent.parent.parent
LABELS = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")


@pytest.fixture
def model(int8_folder):
    return int8_folder / "model.tflite"


def recording(folder: Path, seconds: float = 1.0, **options) -> Path:
    soundfile.write(folder / "clip.wav", tone(440, seconds=seconds), RATE_HZ, **options)
    return folder / "clip.wav"


def expected(model: Path, clip: Path) -> np.ndarray:
    """The chain again, by the interpreter's own interface: mean softmax over the windows."""
    from tflite_micro.python.tflite_micro import runtime

    spec = read_features_json(model.with_name("features.json")).spec
    interpreter = runtime.Interpreter.from_file(str(model))
    given, result = interpreter.get_input_details(0), interpreter.get_output_details(0)
    rows = []
    y = from_pcm16(to_pcm16(read_audio(clip, spec.sample_rate_hz)))
    hop, length = spec.hop_samples, spec.clip_samples
    last = max(0, len(y) - length) // hop * hop
    for start in [*range(0, last, 16_320), last]:
        window = np.pad(y, (0, length))[start:start + length]
        scale, zero_point = (given["quantization_parameters"][key][0] for key in ("scales", "zero_points"))
        codes = np.clip(np.rint(features(window, spec) / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_input(codes[None], 0)
        interpreter.invoke()
        scale, zero_point = (result["quantization_parameters"][key][0] for key in ("scales", "zero_points"))
        logits = scale * (interpreter.get_output(0)[0].astype(float) - zero_point)
        rows.append(np.exp(logits) / np.exp(logits).sum())
    return np.mean(rows, axis=0)


@pytest.mark.parametrize(("seconds", "clips"), [(0.5, 1), (5.0, 4)])
def test_probabilities_are_those_of_the_interpreter(tfser, model, tmp_path, seconds, clips):
    clip = recording(tmp_path, seconds)
    result = tfser("predict", model, clip, "--json")
    assert result.code == 0, result.err
    answer = result.json()
    assert answer["clips"] == clips and tuple(answer["probabilities"]) == LABELS
    values = np.array(list(answer["probabilities"].values()))
    np.testing.assert_allclose(values, expected(model, clip), rtol=1e-6)
    assert values.sum() == pytest.approx(1) and np.unique(values).size > 3
    assert answer["label"] == LABELS[values.argmax()]


def test_the_text_begins_with_the_label_and_its_probability(tfser, model, tmp_path):
    answer = tfser("predict", model, recording(tmp_path), "--json").json()
    lines = tfser("predict", model, recording(tmp_path)).out.splitlines()
    assert lines[0] == answer["label"] and len(lines) == 1 + len(LABELS)
    assert lines[1].split() == [answer["label"], f"{answer['probabilities'][answer['label']]:.3f}"]


def test_silence_around_speech_is_left_out(tfser, model, tmp_path):
    spec = read_features_json(model.with_name("features.json")).spec
    speech = tone(440, seconds=spec.clip_samples / RATE_HZ)
    soundfile.write(tmp_path / "short.wav", speech, RATE_HZ)
    soundfile.write(tmp_path / "long.wav", np.concatenate([speech, np.zeros(3 * len(speech))]), RATE_HZ)
    short, long = (tfser("predict", model, tmp_path / f"{name}.wav", "--json").json() for name in ("short", "long"))
    assert (short["clips"], long["clips"]) == (1, 2)  # the second holds the speech's second half


@pytest.mark.parametrize("options", [{"subtype": "PCM_U8"}, {"subtype": "FLOAT"}, {"subtype": "PCM_24"}])
def test_sample_formats(tfser, model, tmp_path, options):
    assert tfser("predict", model, recording(tmp_path, **options)).code == 0


def test_192_khz_stereo(tfser, model, tmp_path):
    y = np.repeat(tone(440, seconds=1), 12)
    soundfile.write(tmp_path / "clip.flac", np.stack([y, y], axis=1), 192000)
    assert tfser("predict", model, tmp_path / "clip.flac").code == 0


@pytest.mark.parametrize(("samples", "code"), [
    (np.zeros(RATE_HZ), "TF-AUDIO-07"),
    (np.zeros(0), "TF-AUDIO-04"),
    (np.full(RATE_HZ, np.nan), "TF-AUDIO-06"),
])
def test_recordings_without_an_answer(tfser, model, tmp_path, samples, code):
    soundfile.write(tmp_path / "clip.wav", samples, RATE_HZ, subtype="FLOAT")
    result = tfser("predict", model, tmp_path / "clip.wav")
    assert (result.code, result.out) == (2, "")
    assert f"error {code}" in result.err and "clip.wav" in result.err


@pytest.mark.parametrize(("content", "code"), [(None, "TF-AUDIO-01"), (b"", "TF-AUDIO-03"), (b"RIFF", "TF-AUDIO-03")])
def test_files_that_are_no_recording(tfser, model, tmp_path, content, code):
    if content is not None:
        (tmp_path / "clip.wav").write_bytes(content)
    result = tfser("predict", model, tmp_path / "clip.wav")
    assert (result.code, result.out) == (2, "") and f"error {code}" in result.err


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\x00\x00\x00TFL3" + bytes(40)])
def test_files_that_are_no_model(tfser, tmp_path, content):
    (tmp_path / "model.tflite").write_bytes(content)
    result = tfser("predict", tmp_path / "model.tflite", recording(tmp_path))
    assert (result.code, result.out) == (2, "") and "error FG-TFL" in result.err and "model.tflite" in result.err


def test_no_model(tfser, tmp_path):
    result = tfser("predict", tmp_path / "model.tflite", recording(tmp_path))
    assert result.code == 2 and "TF-FILE-01" in result.err


def test_a_model_without_features(tfser, model, tmp_path):
    shutil.copy(model, tmp_path)
    result = tfser("predict", tmp_path / "model.tflite", recording(tmp_path))
    assert result.code == 2 and "TF-INT8-01" in result.err and "features.json" in result.err


def test_a_model_that_is_not_the_features(tfser, model, shared_models, tmp_path):
    shutil.copy(shared_models / "kws_ref_model.tflite", tmp_path / "model.tflite")
    shutil.copy(model.with_name("features.json"), tmp_path)
    result = tfser("predict", tmp_path / "model.tflite", recording(tmp_path))
    assert result.code == 2 and "TF-INT8-02" in result.err and "(1, 49, 10, 1)" in result.err


def test_fewer_labels_than_outputs(tfser, int8_folder, tmp_path):
    folder = Path(shutil.copytree(int8_folder, tmp_path / "build"))
    document = read_features_json(folder / "features.json")
    write_features_json(folder / "features.json", document.spec, input_scale=document.input_scale,
                        input_zero_point=document.input_zero_point, labels=document.labels[:-1])
    result = tfser("predict", folder / "model.tflite", recording(tmp_path))
    assert result.code == 2 and "TF-INT8-02" in result.err


def test_it_needs_no_tensorflow(model, tmp_path):
    code = ("import sys; sys.modules['tensorflow'] = sys.modules['tf_keras'] = None\n"
            "from tfser.cli.main import main; sys.exit(main(['predict', *sys.argv[1:]]))")
    result = subprocess.run([sys.executable, "-c", code, model, recording(tmp_path)], cwd=ROOT, capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stderr
