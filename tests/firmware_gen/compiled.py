"""Generated C on the host, beside TensorFlow Lite Micro on the same bytes."""

from __future__ import annotations

import ctypes
import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tflite_micro import runtime

from firmware_gen.compile import compile_model
from firmware_gen.target import CORES

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-pedantic", "-Werror")
ORACLE_ARENA_BYTES = 1 << 22


class HostModel:
    """A model compiled for ``core``, built by the host's compiler from the portable form of its kernels."""

    def __init__(self, content: bytes, core: str, folder: Path, objects: dict[str, Path] | None = None) -> None:
        compiled = compile_model(content, CORES[core])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in compiled.files.items():
            (folder / name).write_text(text)
        sources = sorted(name for name in compiled.files if name.endswith(".c"))
        built = [_object(folder, name, {} if objects is None else objects) for name in sources]
        (folder / "figures.c").write_text(
            '#include "tfser_model.h"\nconst int figures[] = {TFSER_MODEL_INPUT_BYTES, TFSER_MODEL_OUTPUT_BYTES, '
            "TFSER_MODEL_ARENA_BYTES, TFSER_MODEL_INPUT_OFFSET, TFSER_MODEL_OUTPUT_OFFSET};\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "figures.c", *map(str, built), "-o", "model.so"], cwd=folder,
                       check=True)
        library = ctypes.CDLL(str(folder / "model.so"))
        self._run = library.tfser_model_run
        figures = (ctypes.c_int * 5).in_dll(library, "figures")
        self.input_bytes, self.output_bytes, self.arena_bytes, self.input_at, self.output_at = figures

    def run(self, x: np.ndarray, *, inside: bool) -> np.ndarray:
        """Output bytes for one input, with input and output in the arena or outside of it.

        The arena starts as noise, and what lies around it must stay as it was.
        """
        rng = np.random.default_rng(1)
        guard = 64
        memory = rng.integers(0, 256, self.arena_bytes + 2 * guard + 16).astype(np.uint8)
        start = guard + -(memory.ctypes.data + guard) % 16
        before, after = memory[:start].copy(), memory[start + self.arena_bytes:].copy()
        arena = memory.ctypes.data + start
        given, found = np.ascontiguousarray(x).reshape(-1).view(np.uint8), np.zeros(self.output_bytes, np.uint8)
        assert given.size == self.input_bytes
        if inside:
            memory[start + self.input_at:start + self.input_at + given.size] = given
            status = self._run(_at(arena + self.input_at), _at(arena + self.output_at), _at(arena))
            found[:] = memory[start + self.output_at:start + self.output_at + found.size]
        else:
            kept = given.copy()
            status = self._run(_at(kept.ctypes.data), _at(found.ctypes.data), _at(arena))
            assert np.array_equal(kept, given), "an input outside of the arena was written"
        assert status == 0
        assert np.array_equal(memory[:start], before), "bytes before the arena were written"
        assert np.array_equal(memory[start + self.arena_bytes:], after), "bytes after the arena were written"
        return found.view(np.int8)


def _at(address: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(address)


def _object(folder: Path, name: str, known: dict[str, Path]) -> Path:
    """An object file; kernels, which are the same in every model, are compiled once a session."""
    text = (folder / name).read_bytes()
    key = hashlib.sha256(text).hexdigest()
    if key not in known:
        target = folder / f"{name}.o"
        flags = "-std=c11 -O1 -fPIC -c"
        subprocess.run(["gcc", *shlex.split(flags), *WARNINGS, name, "-o", str(target)], cwd=folder, check=True)
        known[key] = target
    return known[key]


class Oracle:
    """TensorFlow Lite Micro, as the Python package has it."""

    def __init__(self, content: bytes) -> None:
        self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=ORACLE_ARENA_BYTES)
        self.shape = tuple(self._interpreter.get_input_details(0)["shape"])

    def run(self, x: np.ndarray) -> np.ndarray:
        """Output bytes for one input."""
        self._interpreter.set_input(np.ascontiguousarray(x, np.int8).reshape(self.shape), 0)
        self._interpreter.invoke()
        return self._interpreter.get_output(0).reshape(-1).copy()


def inputs(shape: Sequence[int], zero_point: int = 0, seed: int = 0) -> list[np.ndarray]:
    """Random codes, a narrow band of them, the extremes, and all zero points."""
    rng = np.random.default_rng(seed)
    spread = [rng.integers(-128, 128, shape), rng.integers(-128, 128, shape), rng.normal(0, 12, shape).round()]
    extremes = [rng.choice([-128, 127], shape), np.full(shape, -128), np.full(shape, 127), np.full(shape, zero_point)]
    return [np.clip(x, -128, 127).astype(np.int8) for x in (*spread, *extremes)]
