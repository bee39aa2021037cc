"""The Arduino library and its sketch, built by Arduino's own builder (it reads the description, finds the library by
its header, makes prototypes, compiles) on the core of arduino_core.py: Arduino's cores come from a registry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from arduino_core import build_sketch, write_core
from exported import CORE, LABELS, Exported, needs, run

pytestmark = needs("arduino-builder", "arduino-ctags", "gcc", "g++")


@pytest.fixture(scope="module")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_core(tmp_path_factory.mktemp("hardware"), CORE)


def installed(firmware: Path, sketchbook: Path) -> Path:
    """The library where a user puts it."""
    return shutil.copytree(firmware / "arduino", sketchbook / "libraries" / "tfser_model")


def test_the_models_sketch_prints_its_bytes(exported: Exported, hardware: Path, tmp_path: Path) -> None:
    built = build_sketch(hardware, installed(exported.folder, tmp_path), tmp_path / "out")
    assert built.returncode == 0, built.stdout + built.stderr
    version = (exported.folder / "arduino/library.properties").read_text().split("version=")[1].split()[0]
    assert f"Using library tfser_model at version {version} in folder" in built.stdout
    assert run(tmp_path / "out/build/program") == f"{' '.join(map(str, exported.pattern()))} in 1000 us\n"


def test_the_listening_sketch_prints_probabilities(listening: Path, hardware: Path, tmp_path: Path) -> None:
    built = build_sketch(hardware, installed(listening, tmp_path), tmp_path / "out")
    assert built.returncode == 0, built.stdout + built.stderr
    pairs = [pair.split() for pair in run(tmp_path / "out/build/program").strip().split(", ")]
    assert tuple(label for label, _ in pairs) == LABELS
    assert sum(float(value) for _, value in pairs) == pytest.approx(1, abs=0.021)


@needs("arm-none-eabi-g++")
def test_it_builds_for_a_chip(listening: Path, hardware: Path, tmp_path: Path) -> None:
    built = build_sketch(hardware, installed(listening, tmp_path), tmp_path / "out", "chip")
    assert built.returncode == 0, built.stdout + built.stderr
    assert "smlad" in run("arm-none-eabi-objdump", "-d", tmp_path / "out/build/program")


@pytest.mark.parametrize(("name", "old", "new", "message"), [
    ("library.properties", "name=tfser_model\n", "", "Missing 'name' from library"),
    ("src/tfser_model.h", "#define TFSER_MODEL_OK 0", "", "TFSER_MODEL_OK"),
    ("src/tfser_tables.h", None, None, "tfser_tables.h: No such file")])
def test_a_build_can_fail(exported: Exported, hardware: Path, tmp_path: Path, name: str, old: str | None,
                          new: str | None, message: str) -> None:
    library = installed(exported.folder, tmp_path)
    if old is None:
        (library / name).unlink()
    else:
        text = (library / name).read_text()
        assert old in text
        (library / name).write_text(text.replace(old, str(new)))
    built = build_sketch(hardware, library, tmp_path / "out")
    assert built.returncode != 0
    assert message in built.stdout + built.stderr
