"""Whole models on emulated chips: the image returns the bytes of TensorFlow Lite Micro on every core."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from compiled import Oracle, inputs
from random_tflite import random_model
from unseen_models import NAMES, unseen

from firmware_gen.compile import compile_model
from firmware_gen.image.link import link_image
from firmware_gen.image.simulate import simulate
from firmware_gen.target import CORES

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
                                reason="needs arm-none-eabi-gcc and qemu-system-arm")

SHARED = ("conformer_bn", "conformer_ln", "kws_ref_model", "pretrainedResnet_quant", "micro_speech_quantized")
SEEDS = range(200, 214)
#: What tfser promises for every model.
STACK_LIMIT_BYTES = 1024


def assert_same_bytes(content: bytes, core: str, count: int | None = None) -> None:
    """Every output of the image, and little stack."""
    oracle = Oracle(content)
    given = inputs(oracle.shape)[:count]
    expected = np.array([oracle.run(x) for x in given])
    compiled = compile_model(content, CORES[core])
    run = simulate(link_image(compiled.files, CORES[core]), CORES[core].qemu_machine, np.array(given))
    different = np.argwhere(run.outputs.reshape(expected.shape) != expected)
    assert different.size == 0, f"{len(different)} of {expected.size} differ, the first is {different[0]}"
    assert max(run.stack_bytes) <= STACK_LIMIT_BYTES


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", SHARED)
def test_shared_models_on_chips(shared_models, name, core):
    assert_same_bytes((shared_models / f"{name}.tflite").read_bytes(), core, count=4)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", NAMES)
def test_models_of_other_kinds_on_chips(name, core):
    assert_same_bytes(unseen(name), core, count=4)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs_on_chips(core, seed):
    assert_same_bytes(random_model(seed), core)
