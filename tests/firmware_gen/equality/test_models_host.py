"""Whole models: the generated C on the host returns the bytes of TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled import HostModel, Oracle, inputs
from random_tflite import random_model
from unseen_models import NAMES, unseen

SHARED = ("conformer_bn", "conformer_ln", "kws_ref_model", "pretrainedResnet_quant", "micro_speech_quantized")
CORES = ("cortex-m3", "cortex-m7", "cortex-m55")  # portable and DSP share a form of the weights, Helium has its own
SEEDS = range(120)
LONG = ((3000, 20), (4017, 16))  # seed, operators: found faults that graphs of eight did not


@pytest.fixture(scope="session")
def objects() -> dict[str, Path]:
    """Kernels that were compiled already."""
    return {}


def assert_same_bytes(content: bytes, core: str, folder: Path, objects: dict[str, Path], seed: int = 0) -> np.ndarray:
    """Every output, inside and outside of the arena; gives the oracle's outputs."""
    oracle, model = Oracle(content), HostModel(content, core, folder, objects)
    outputs = []
    for number, x in enumerate(inputs(oracle.shape, seed=seed)):
        expected = oracle.run(x)
        for inside in (True, False):
            found = model.run(x, inside=inside)
            different = np.flatnonzero(found != expected)
            assert different.size == 0, (
                f"input {number}, inside {inside}: {different.size} of {expected.size} differ, at {different[0]} "
                f"{found[different[0]]} for {expected[different[0]]}")
        outputs.append(expected)
    return np.array(outputs)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", SHARED)
def test_shared_models(tmp_path, shared_models, objects, name, core):
    content = (shared_models / f"{name}.tflite").read_bytes()
    outputs = assert_same_bytes(content, core, tmp_path, objects)
    assert np.unique(outputs).size > 8


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", NAMES)
def test_models_of_other_kinds(tmp_path, objects, name, core):
    outputs = assert_same_bytes(unseen(name), core, tmp_path, objects)
    assert np.unique(outputs).size > 8


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs(tmp_path, objects, seed):
    assert_same_bytes(random_model(seed), CORES[seed % len(CORES)], tmp_path, objects, seed)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("seed", "count"), LONG)
def test_long_random_graphs(tmp_path, objects, seed, count, core):
    assert_same_bytes(random_model(seed, count), core, tmp_path, objects, seed)
