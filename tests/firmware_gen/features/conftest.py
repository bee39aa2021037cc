"""What the tests of the front end share: object files, and programs around one small model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from front_end import FIXED_CORE, FLOAT_CORE, PLAIN, SANITIZE, HostProgram, Objects, real_clips, small_classifier


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    return Objects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="session")
def recordings(shared_data: Path) -> np.ndarray:
    """Windows of 200 recordings of both corpora, int16."""
    return real_clips(shared_data, 200)


@pytest.fixture(scope="session")
def conformer(shared_models: Path) -> bytes:
    return (shared_models / "conformer_bn.tflite").read_bytes()


@pytest.fixture(scope="session")
def small_program(objects: Objects, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., HostProgram]:
    """The program around the small model for a core, plain or under sanitizers; each is built once."""
    built: dict[tuple[str, bool], HostProgram] = {}

    def program(core: str, *, checked: bool = False) -> HostProgram:
        if (core, checked) not in built:
            folder = tmp_path_factory.mktemp(core)
            built[core, checked] = HostProgram(folder, small_classifier(), core, objects,
                                               flags=SANITIZE if checked else PLAIN)
        return built[core, checked]

    return program


@pytest.fixture(params=[FLOAT_CORE, FIXED_CORE])
def core(request: pytest.FixtureRequest) -> str:
    """One core of each form."""
    return str(request.param)
