"""Spoilt files: a graph or a coded error, never another exception, and little memory."""

from __future__ import annotations

import ctypes
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from one_operator import _MAKERS, build
from tflite_builder import pack, unpack

from firmware_gen.errors import InputError
from firmware_gen.frontend.lower import LOWERINGS, lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.verify import verify
from firmware_gen.passes.pipeline import optimise

MEMORY_LIMIT = 300_000_000  # bytes at once; the promise is 1 GB for the whole tool
NAMES = ("kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant", "conformer_bn", "conformer_ln")
NUMBERS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 127, 255, 65535, 2**24, 2**31 - 1)
SCALES = (0.0, 1e-45, 1e-38, 1e-20, 1e-9, 0.1, 1.0, 1e9, 1e38, float("inf"), float("nan"))


@contextmanager
def little_memory() -> Iterator[None]:
    """No more than the limit is asked for, used or not, or resident; tracing every allocation takes far longer."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, limits = memory("VmRSS"), resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + MEMORY_LIMIT, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert memory("VmHWM") - before < MEMORY_LIMIT


def memory(what: str) -> int:
    (kib,) = re.findall(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(kib)


def test_more_memory_is_seen():
    limits = resource.getrlimit(resource.RLIMIT_AS)
    for taken in (lambda: np.ones(MEMORY_LIMIT + 2**24, np.int8), lambda: np.empty(2**33, np.int8)):
        with pytest.raises((AssertionError, MemoryError)), little_memory():
            taken()
        assert resource.getrlimit(resource.RLIMIT_AS) == limits
    with little_memory():
        np.ones(MEMORY_LIMIT // 2, np.int8)


def lowered(content: bytes) -> bool:
    """Whether the file is taken, and then goes through the passes; otherwise the error has a code and a fix."""
    try:
        graph = lower(read_tflite(content))
    except InputError as error:
        assert error.code.startswith("FG-")
        assert error.fix
        return False
    verify(optimise(graph), integers_only=True)
    return True


def structure(content: bytes) -> np.ndarray:
    """Positions of the bytes that are not the data of constants."""
    free = np.ones(len(content), bool)
    for tensor in read_tflite(content).subgraphs[0].tensors:
        if tensor.data is not None and len(tensor.data) > 64:
            free[tensor.data_offset:tensor.data_offset + len(tensor.data)] = False
    return np.flatnonzero(free)


@pytest.mark.parametrize("name", NAMES)
@little_memory()
def test_bytes_of_a_model(shared_models, name):
    content = (shared_models / f"{name}.tflite").read_bytes()
    rng, positions, taken = np.random.default_rng(0), structure(content), 0
    for _ in range(60):
        spoilt = bytearray(content)
        for position in rng.choice(positions, rng.integers(1, 4)):
            spoilt[position] = rng.choice([0, 1, 2, 127, 128, 255, rng.integers(256)])
        taken += lowered(bytes(spoilt))
    for size in (0, 7, 11, 100, len(content) // 2, len(content) - 1):
        lowered(content[:size])
    assert 0 < taken < 60  # some hit names or padding, some do harm


@little_memory()
def test_bytes_of_one_operator():
    rng, taken, tried = np.random.default_rng(1), 0, 0
    for name in _MAKERS:
        content = build(name, "int8")
        for _ in range(25 if name in LOWERINGS else 2):
            spoilt = bytearray(content)
            for position in rng.integers(0, len(content), rng.integers(1, 3)):
                spoilt[position] = rng.choice([0, 1, 2, 127, 128, 255, rng.integers(256)])
            taken += lowered(bytes(spoilt))
            tried += 1
    assert 0 < taken < tried


def spoil(model, rng) -> None:
    """Change one number of a tensor, an operator or its options."""
    subgraph = model.subgraphs[0]
    tensor, operator = rng.choice(subgraph.tensors), rng.choice(subgraph.operators)
    number, kind = int(rng.choice(NUMBERS)), rng.integers(8)
    if kind == 0 and len(tensor.shape):
        tensor.shape = [number if i == rng.integers(len(tensor.shape)) else n for i, n in enumerate(tensor.shape)]
    elif kind == 1:
        tensor.shape = [int(rng.choice(NUMBERS[3:8])) for _ in range(rng.integers(0, 7))]
    elif kind == 2:
        tensor.type = int(rng.choice([0, 1, 2, 3, 4, 6, 7, 9, 13, 14, 17]))
    elif kind == 3 and tensor.quantization is not None:
        tensor.quantization.scale = [float(rng.choice(SCALES)) for _ in range(rng.choice([0, 1, 1, 1, 2]))]
        tensor.quantization.zeroPoint = [int(rng.choice(NUMBERS)) for _ in tensor.quantization.scale]
    elif kind == 4:
        holder, field = (operator, subgraph)[rng.integers(2)], ("inputs", "outputs")[rng.integers(2)]
        side = getattr(holder, field)
        if len(side):
            changed = np.array(side)
            changed[rng.integers(len(side))] = rng.integers(-2, len(subgraph.tensors) + 1)
            setattr(holder, field, changed.tolist())
    elif kind == 5 and operator.builtinOptions is not None:
        fields = [name for name, value in vars(operator.builtinOptions).items() if isinstance(value, int | float)]
        if fields:
            setattr(operator.builtinOptions, rng.choice(fields), int(number % 128 if rng.random() < 0.5 else number))
    elif kind == 6 and tensor.buffer and len(model.buffers[tensor.buffer].data) % 4 == 0:
        data = np.array(model.buffers[tensor.buffer].data, np.uint8).view("<i4")
        data[rng.integers(data.size)] = number
        model.buffers[tensor.buffer].data = data.view(np.uint8)
    elif kind == 7:
        tensor.buffer = int(rng.integers(len(model.buffers)))


@little_memory()
def test_fields_of_one_operator():
    """Deeper than bytes: the file stays a FlatBuffer, and one or two of its numbers are off."""
    rng, taken, tried = np.random.default_rng(2), 0, 0
    for name in LOWERINGS:
        for _ in range(40):
            model = unpack(build(name, "int8"))
            for _ in range(rng.integers(1, 3)):
                spoil(model, rng)
            try:
                content = pack(model)
            except Exception:  # the writer's own limits: a number that the field does not hold
                continue
            taken += lowered(content)
            tried += 1
    assert tried > 1000
    assert 0 < taken < tried
