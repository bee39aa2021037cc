"""One exported model for the tests of all exports."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported import Exported


@pytest.fixture(scope="session")
def exported(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A small model of convolution, dense layer and softmax."""
    content = (shared_models / "micro_speech_quantized.tflite").read_bytes()
    return Exported(content, tmp_path_factory.mktemp("exported") / "firmware")
