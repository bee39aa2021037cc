"""Every features.json that is not what tfser writes is refused with the code that names the cause."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from front_end import LABELS, SPEC, classifier_of, describe, fitted, small_classifier
from tflite_builder import Graph

from firmware_gen.compile import compile_application
from firmware_gen.emit.feature_tables import feature_tables
from firmware_gen.errors import InputError
from firmware_gen.frontend.features import Features, parse_features, read_features
from firmware_gen.target import CORES
from tfser.features.document import write_features_json

FLOAT, FIXED = CORES["cortex-m4"], CORES["cortex-m3"]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("features") / "features.json"
    write_features_json(path, SPEC, input_scale=0.04, input_zero_point=-3, labels=LABELS)
    return path.read_bytes()


def refused(content: bytes | Document) -> InputError:
    """The error of these features; no warning may reach the user's terminal beside it."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    with warnings.catch_warnings(), pytest.raises(InputError) as caught:
        warnings.simplefilter("error")
        parse_features(text)
    assert caught.value.received and caught.value.expected and caught.value.fix
    return caught.value


def test_what_tfser_writes_is_taken(written: bytes) -> None:
    features = parse_features(written)
    assert features.labels == LABELS and features.clip_samples == SPEC.clip_samples
    np.testing.assert_array_equal(features.band_std, np.float32(SPEC.band_std))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="cannot be read") as caught:
            read_features(path)
        assert caught.value.code == "FG-FEAT-01"


def test_cut_anywhere(written: bytes) -> None:
    """All of the first and last bytes, and a few hundred places between."""
    ends = {*range(40), *range(40, len(written) - 1, 97), *range(len(written) - 40, len(written.rstrip()))}
    assert {refused(written[:end]).code for end in ends} == {"FG-FEAT-02"}


@pytest.mark.parametrize("text", [
    b"", b"null", b"[]", b"7", b'"text"', b"{}", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 100_000,
    b'{"schema_version": NaN}', b'{"schema_version": 1, "a": Infinity}', b'{"schema_version": 1' + b"0" * 5000 + b"}",
], ids=lambda text: repr(text[:24]))
def test_not_a_json_object(text: bytes) -> None:
    assert refused(text).code == "FG-FEAT-02"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have(written: bytes, number: str) -> None:
    assert refused(written.replace(b'"log_floor": 1e-10', f'"log_floor": {number}'.encode())).code == "FG-FEAT-02"


def test_a_number_beyond_every_float(written: bytes) -> None:
    assert refused(written.replace(b'"log_floor": 1e-10', b'"log_floor": 1e400')).code == "FG-FEAT-04"


@pytest.mark.parametrize("version", [0, 2, 1.0, True, "1", None, [1], {}])
def test_another_schema(written: bytes, version: object) -> None:
    assert refused({**json.loads(written), "schema_version": version}).code == "FG-FEAT-03"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document that the front end reads, but for labels; of lists the first, middle and last item."""
    if path[:1] in {("schema_version",), ("labels",)} or path[1:] in {("low_hz",), ("high_hz",), ("level_percentile",)}:
        return []
    inner: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        inner = sorted({0, len(value) // 2, len(value) - 1})
    found = [path] if path else []
    return found + [place for key in inner for place in places(value[key], (*path, key))]


def changed(document: Document, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Document:
    result = copy.deepcopy(document)
    target: Any = result
    for key in place[:-1]:
        target = target[key]
    change(target, place[-1])
    return result


def test_a_part_that_is_missing_or_of_another_type(written: bytes) -> None:
    document = json.loads(written)
    found = places(document)
    assert len(found) > 50
    for place in found:
        without = changed(document, place, lambda target, key: target.pop(key))
        assert refused(without).code == "FG-FEAT-04", place
        for value in (None, True, [], {}, "0.5", [[1.0]], 10**400):
            other = changed(document, place, lambda target, key, value=value: target.__setitem__(key, value))
            assert refused(other).code == "FG-FEAT-04", (place, value)


def sealed(document: Document) -> Document:
    """With the hashes of the tables as they are now: what is left to find is a value that cannot be."""
    bins = document["spec"]["fft_size"] // 2 + 1
    mel = np.zeros((len(document["mel"]), bins), "<f4")
    for row, band in zip(mel, document["mel"], strict=True):
        row[band["start_bin"]:band["start_bin"] + len(band["weights"])] = band["weights"]
    window = np.array(document["window"]["values"], "<f4")
    document["sha256"] = {"window": hashlib.sha256(window).hexdigest(), "mel": hashlib.sha256(mel).hexdigest()}
    return document


VALUES: dict[str, Callable[[Document], object]] = {
    "fft_size": lambda d: d["spec"].update(fft_size=500),
    "no samples": lambda d: d["spec"].update(hop_samples=0),
    "negative": lambda d: d["spec"].update(frames=-100),
    "fraction": lambda d: d["spec"].update(hop_samples=320.0),
    "long hop": lambda d: d["spec"].update(hop_samples=513, frames=1) or d.update(clip_samples=512),
    "frames": lambda d: d["spec"].update(frames=1 << 20) or d.update(clip_samples=((1 << 20) - 1) * 320 + 512),
    "clip_samples": lambda d: d.update(clip_samples=32193),
    "offset": lambda d: d["window"].update(offset=55),
    "short window": lambda d: d["window"]["values"].pop(),
    "long mean": lambda d: d["spec"]["band_mean"].append(0.0),
    "short std": lambda d: d["spec"]["band_std"].pop(),
    "std of 0": lambda d: d["spec"]["band_std"].__setitem__(3, 0.0),
    "std beyond float32": lambda d: d["spec"]["band_std"].__setitem__(3, 1e39),
    "std below float32": lambda d: d["spec"]["band_std"].__setitem__(3, 1e-50),
    "mean beyond float32": lambda d: d["spec"]["band_mean"].__setitem__(3, -1e300),
    "window above 1": lambda d: d["window"]["values"].__setitem__(3, 1.5) or sealed(d),
    "window below 0": lambda d: d["window"]["values"].__setitem__(3, -0.5) or sealed(d),
    "empty window": lambda d: d["window"].update(values=[0.0] * 400) or sealed(d),
    "negative weight": lambda d: d["mel"][3]["weights"].__setitem__(0, -0.1) or sealed(d),
    "empty band": lambda d: d["mel"][3].update(weights=[0.0]) or sealed(d),
    "band beyond the bins": lambda d: d["mel"][39].update(start_bin=256),
    "band fewer": lambda d: d["mel"].pop() and sealed(d),
    "window and hash": lambda d: d["window"]["values"].__setitem__(3, 0.5),
    "mel and hash": lambda d: d["mel"][3]["weights"].__setitem__(0, 0.5),
    "start and hash": lambda d: d["mel"][3].update(start_bin=7),
    "rank": lambda d: d["level"].update(rank=4000),
    "floor above 0": lambda d: d["spec"].update(level_floor_nats=0.5),
    "log_floor of 0": lambda d: d["spec"].update(log_floor=0.0),
    "scale of 0": lambda d: d["input"].update(scale=0),
    "scale below float32": lambda d: d["input"].update(scale=1e-50),
    "scale beyond float32": lambda d: d["input"].update(scale=1e39),
    "zero_point": lambda d: d["input"].update(zero_point=128),
    "uint8": lambda d: d["input"].update(dtype="uint8"),
    "labels twice": lambda d: d.update(labels=["a", "b", "a", "c"]),
    "no labels": lambda d: d.pop("labels"),
    "labels of numbers": lambda d: d.update(labels=[1, 2, 3, 4]),
    "labels by name": lambda d: d.update(labels={"a": 0, "b": 1, "c": 2, "d": 3}),
    "labels in one": lambda d: d.update(labels="abcd"),
    "label that is empty": lambda d: d.update(labels=["a", "b", "", "c"]),
    "label with a zero byte": lambda d: d.update(labels=["a", "b", "c\0", "d"]),
    "label of half a character": lambda d: d.update(labels=["a", "b", "\ud800", "d"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_cannot_be(written: bytes, name: str) -> None:
    document = json.loads(written)
    VALUES[name](document)
    assert refused(document).code == "FG-FEAT-04"


def small(**changes: object) -> Features:
    return dataclasses.replace(describe(small_classifier()), **changes)


#: Numbers that each file may hold, and the kernels cannot.
WIDE: dict[str, Callable[[], Features]] = {
    "low log_floor": lambda: small(log_floor=1e-30),
    "lowest log_floor": lambda: small(log_floor=5e-324),
    "high log_floor": lambda: small(log_floor=1e12),
    "highest log_floor": lambda: small(log_floor=1e308),
    "power": lambda: small(mel=tuple(dataclasses.replace(band, weights=band.weights * np.float32(1e34))
                                     for band in small().mel)),
    "level floor": lambda: small(level_floor_nats=-1e3),
    "lowest level floor": lambda: small(level_floor_nats=-1e308),
    "least level": lambda: small(level_min_nats=1e3),
    "largest least level": lambda: small(level_min_nats=1e308),
    "small steps": lambda: small(input_scale=1e-9),
    "smallest steps": lambda: small(input_scale=1e-45, band_std=np.full(40, 1e-45, np.float32)),
    "far mean": lambda: small(band_mean=np.full(40, 3e38, np.float32)),
}


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("name", WIDE)
def test_numbers_beyond_the_kernels(name: str, fixed: bool) -> None:
    with warnings.catch_warnings(), pytest.raises(InputError, match="features with") as caught:
        warnings.simplefilter("error")
        feature_tables(WIDE[name](), fixed=fixed)
    assert caught.value.code == "FG-FEAT-05" and caught.value.expected and caught.value.fix


def test_what_only_fixed_point_cannot_hold() -> None:
    wide = fitted(sample_rate_hz=48000, fft_size=8192, window_samples=8192, high_hz=24000.0, frames=4, mel_bands=8)
    for features in (describe(classifier_of(wide), wide), small(window=np.ones(400, np.float32))):
        assert feature_tables(features, fixed=False).value_bits > 0
        with pytest.raises(InputError, match="in fixed point") as caught:
            feature_tables(features, fixed=True)
        assert caught.value.code == "FG-FEAT-05"


@pytest.mark.parametrize("core", [FLOAT, FIXED])
def test_features_of_another_model(core: Any) -> None:
    content, features = small_classifier(), small()
    assert "tfser.c" in compile_application(content, features, core).files
    others = [(small_classifier(100), features, "FG-FEAT-06"),
              (content, small(labels=LABELS[:3]), "FG-FEAT-06"), (content, small(labels=()), "FG-FEAT-06"),
              (content, small(frames=99, level_rank=1), "FG-FEAT-06"),
              (content, small(input_scale=0.04), "FG-FEAT-07"), (content, small(input_zero_point=-1), "FG-FEAT-07"),
              (small_classifier(scale=0.03), features, "FG-FEAT-07")]
    for model, described, code in others:
        with pytest.raises(InputError, match=r"features\.json") as caught:
            compile_application(model, described, core)
        assert caught.value.code == code and caught.value.fix


def test_a_model_without_one_input_and_one_output() -> None:
    graph = Graph()
    x = [graph.tensor("int8", (1, 4000)) for _ in range(3)]
    graph.operator("ADD", x[:2], x[2:])
    for inputs, outputs in ((x[:2], x[2:]), ([], x[2:]), (x[:2], [])):
        with pytest.raises(InputError) as caught:
            compile_application(graph.finish(inputs, outputs), small(), FLOAT)
        assert caught.value.code.startswith("FG-")
