"""``--export``: what is in firmware/ beside the C, by default and on request."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest


def compile_with(tfser, shared_models: Path, out: Path, *options: str):
    return tfser("compile", shared_models / "micro_speech_quantized.tflite", "--target", "cortex-m4", "--out", out,
                 *options)


def folders(out: Path) -> set[str]:
    return {path.name for path in (out / "firmware").iterdir() if path.is_dir()}


@pytest.mark.parametrize(("options", "expected"), [
    ((), {"cmake"}),
    (("--export", "none"), set()),
    (("--export", "zephyr,cmsis-pack"), {"zephyr", "cmsis_pack"}),
    (("--export", "all"), {"cmake", "zephyr", "arduino", "platformio", "cmsis_pack"})])
def test_the_exports_that_were_asked_for(tfser, shared_models, tmp_path, options, expected):
    assert compile_with(tfser, shared_models, tmp_path / "out", *options).code == 0
    assert folders(tmp_path / "out") == expected
    listed = json.loads((tmp_path / "out/manifest.json").read_text())["files"]
    for path in (tmp_path / "out/firmware").rglob("*"):
        if path.is_file():
            name = path.relative_to(tmp_path / "out").as_posix()
            assert listed[name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_exports_of_another_time_are_gone(tfser, shared_models, tmp_path):
    for options in (("--export", "all"), ()):
        assert compile_with(tfser, shared_models, tmp_path / "out", *options).code == 0
    assert folders(tmp_path / "out") == {"cmake"}


@pytest.mark.parametrize("command", ["compile", "build"])
def test_an_unknown_export_writes_nothing(tfser, tmp_path, command):
    arguments = ["model.tflite"] if command == "compile" else []
    result = tfser(command, *arguments, "--target", "cortex-m4", "--out", tmp_path / "out", "--export", "keil")
    assert result.code == 2
    assert "FG-EXPORT-08: unknown export 'keil'" in result.err
    assert not any(tmp_path.iterdir())
