"""Shared fixtures: where the corpora and third-party models are, or why a test skips."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parent.parent / "shared"
#: Folders whose files take longest. Started first, none of them is left alone on one of several workers at the end.
FIRST = ("zoo", "cli", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(TESTS).parts[0]
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Tests and libraries stay to the end; to look for garbage among them, and so often, takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


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
