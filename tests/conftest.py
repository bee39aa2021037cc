"""Shared fixtures: where the corpora and third-party models are, or why a test skips."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def _present(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"no {name} folder beside the project (../shared/{name})")
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of third-party and probe .tflite files."""
    return _present("models")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the EMO-DB and RAVDESS corpora."""
    return _present("data")
