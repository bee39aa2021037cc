"""features.json: what is written is read back exactly, and nothing else is."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tfser.errors import InputError
from tfser.features.document import read_features_json, write_features_json
from tfser.features.logmel import mel_table, window_table
from tfser.features.normalise import fit_bands
from tfser.files import canonical_json
from tfser.spec import FeatureSpec

SPEC = fit_bands(np.random.default_rng(0).standard_normal((3, 100, 40)).astype(np.float32) * 3, FeatureSpec())
LABELS = ("angry", "calm")


def write(path: Path, **changes) -> Path:
    arguments = {"spec": SPEC, "input_scale": 0.037, "input_zero_point": -5, "labels": LABELS, **changes}
    write_features_json(path, **arguments)
    return path


@pytest.fixture
def content(tmp_path) -> dict:
    return json.loads(write(tmp_path / "features.json").read_text())


def read_changed(tmp_path: Path, content: dict) -> str:
    """Error code of reading ``content``."""
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"changed\.json") as caught:
        read_features_json(path)
    return caught.value.code


def test_round_trip(tmp_path):
    document = read_features_json(write(tmp_path / "features.json"))
    assert document.spec == SPEC and document.labels == LABELS
    assert (document.input_scale, document.input_zero_point) == (float(np.float32(0.037)), -5)
    for table, expected in ((document.window, window_table(SPEC)), (document.mel, mel_table(SPEC))):
        assert table.dtype == np.float32
        np.testing.assert_array_equal(table, expected)


def test_unlabelled(tmp_path):
    assert read_features_json(write(tmp_path / "features.json", labels=())).labels == ()


def test_equal_arguments_give_equal_bytes(tmp_path):
    assert write(tmp_path / "a").read_bytes() == write(tmp_path / "b").read_bytes()


def test_mel_bands_are_whole(content):
    """The sparse form, expanded as a C generator would, is librosa's matrix."""
    dense = np.zeros((40, 257), np.float32)
    for row, band in zip(dense, content["mel"], strict=True):
        for index, weight in enumerate(band["weights"]):
            row[band["start_bin"] + index] = np.float32(weight)
    np.testing.assert_array_equal(dense, mel_table(SPEC))
    assert all(band["weights"][0] > 0 and band["weights"][-1] > 0 for band in content["mel"])


def test_what_a_front_end_needs(content):
    assert content["clip_samples"] == 99 * 320 + 512
    assert content["window"]["offset"] == 56 and len(content["window"]["values"]) == 400
    assert content["level"]["rank"] == 3959
    assert content["input"]["dtype"] == "int8"


NUDGES = {
    "window": lambda c: c["window"]["values"].__setitem__(7, c["window"]["values"][8]),
    "window offset": lambda c: c["window"].__setitem__("offset", 57),
    "mel weight": lambda c: c["mel"][3]["weights"].__setitem__(0, c["mel"][3]["weights"][0] * 1.001),
    "mel bin": lambda c: c["mel"][3].__setitem__("start_bin", c["mel"][3]["start_bin"] + 1),
    "mel hash": lambda c: c["sha256"].__setitem__("mel", "0" * 64),
    "clip length": lambda c: c.__setitem__("clip_samples", 32000),
    "level": lambda c: c["level"].__setitem__("rank", 3960),
    "hop": lambda c: c["spec"].__setitem__("hop_samples", 160),
    "unknown part": lambda c: c.__setitem__("extra", 1),
}


@pytest.mark.parametrize("name", sorted(NUDGES))
def test_a_nudge_is_caught(tmp_path, content, name):
    changed = copy.deepcopy(content)
    NUDGES[name](changed)
    assert read_changed(tmp_path, changed) == "TF-FEAT-10"


MALFORMED = {
    "no spec": lambda c: c.pop("spec"),
    "spec is a list": lambda c: c.__setitem__("spec", []),
    "unknown field": lambda c: c["spec"].__setitem__("dither", 1),
    "text for a number": lambda c: c["spec"].__setitem__("mel_bands", "40"),
    "not fitted": lambda c: c["spec"].update(band_mean=None, band_std=None),
    "enormous": lambda c: c["spec"].__setitem__("fft_size", 2**60),
    "short window": lambda c: c["window"]["values"].pop(),
    "missing band": lambda c: c["mel"].pop(),
    "band outside": lambda c: c["mel"][3].__setitem__("start_bin", 256),
    "band before": lambda c: c["mel"][3].__setitem__("start_bin", -1000),
    "infinite weight": lambda c: c["mel"][3]["weights"].__setitem__(0, 1e39),
    "no weights": lambda c: c["mel"][3].__setitem__("weights", []),
    "data type": lambda c: c["input"].__setitem__("dtype", "uint8"),
    "int16 with a zero point": lambda c: c["input"].update(dtype="int16", zero_point=1),
    "scale 0": lambda c: c["input"].__setitem__("scale", 0.0),
    "zero point outside int8": lambda c: c["input"].__setitem__("zero_point", 128),
    "label twice": lambda c: c.__setitem__("labels", ["angry", "angry"]),
    "labels are numbers": lambda c: c.__setitem__("labels", [1, 2]),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_malformed(tmp_path, content, name):
    changed = copy.deepcopy(content)
    MALFORMED[name](changed)
    assert read_changed(tmp_path, changed) == "TF-FEAT-09"


def test_sixteen_bits(tmp_path):
    path = write(tmp_path / "features.json", input_zero_point=0, input_dtype="int16")
    assert read_features_json(path).input_dtype == "int16"
    with pytest.raises(InputError, match=r"TF-FEAT-05: int16 input quantisation with scale 0\.037.* and zero point -5"):
        write(tmp_path / "other.json", input_dtype="int16")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_version(tmp_path, content, version):
    assert read_changed(tmp_path, {**content, "schema_version": version}) == "TF-FEAT-08"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": NaN}', "\x00\xff"])
def test_not_json(tmp_path, text):
    path = tmp_path / "features.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="TF-FEAT-07"):
        read_features_json(path)


def test_missing(tmp_path):
    with pytest.raises(InputError, match="TF-FEAT-07"):
        read_features_json(tmp_path / "absent.json")


@pytest.mark.parametrize("changes, code", [
    ({"spec": FeatureSpec()}, "TF-FEAT-02"),
    ({"spec": dataclasses.replace(SPEC, high_hz=9000.0)}, "TF-FEAT-01"),
    ({"input_scale": float("nan")}, "TF-FEAT-05"),
    ({"input_zero_point": -129}, "TF-FEAT-05"),
    ({"labels": ("angry", "")}, "TF-FEAT-06"),
])
def test_nothing_unusable_is_written(tmp_path, changes, code):
    with pytest.raises(InputError) as caught:
        write(tmp_path / "features.json", **changes)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_canonical(tmp_path, content):
    assert write(tmp_path / "again").read_text() == canonical_json(content)
