"""One exported model, and one with its application layer, for the tests of all exports."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported import CORE, LISTEN, Exported, compile_folder, compile_listener, decision, noise, run, window_samples
from exported import write_firmware as write


@pytest.fixture(scope="session")
def exported(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A small model of convolution, dense layer and softmax."""
    content = (shared_models / "micro_speech_quantized.tflite").read_bytes()
    return Exported(content, tmp_path_factory.mktemp("exported") / "firmware")


@pytest.fixture(scope="session")
def listening(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A firmware/ folder with the application layer, all exports beside it."""
    files = compile_listener((shared_models / "conformer_bn.tflite").read_bytes(), CORE)
    return write(files, tmp_path_factory.mktemp("listening") / "firmware")


@pytest.fixture(scope="session")
def window(listening: Path) -> bytes:
    """Samples for one decision."""
    return noise(window_samples(listening))


@pytest.fixture(scope="session")
def decided(listening: Path, window: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The decision of the C files, compiled with no build system at all."""
    folder = tmp_path_factory.mktemp("decided")
    (folder / "main.c").write_text(LISTEN)
    objects = compile_folder(("gcc", "-O2"), sorted(listening.glob("*.c")), folder)
    run("gcc", "-std=c11", f"-I{listening}", folder / "main.c", *objects, "-lm", "-o", folder / "program")
    return decision(folder / "program", window)
