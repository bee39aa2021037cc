"""The generated files: their interface, what they refuse, and that the same model gives the same bytes."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from compiled import HostModel
from random_tflite import random_model
from tflite_builder import Graph, options

from firmware_gen.compile import compile_model
from firmware_gen.errors import InputError
from firmware_gen.target import CORES

M7, M55 = CORES["cortex-m7"], CORES["cortex-m55"]
#: Weights may exceed their raw bytes by what the contract of the compiler allows.
LARGEST_OVERHEAD = 1.02


def dense_model(depth: int, units: int, bias: int = 0) -> bytes:
    rng = np.random.default_rng(depth)
    graph = Graph()
    x = graph.tensor("int8", (3, depth), scale=0.1, zero_point=3)
    weights = graph.tensor("int8", (units, depth), data=rng.integers(-127, 128, (units, depth)), scale=0.01)
    offsets = graph.tensor("int32", (units,), data=[bias] * units, scale=0.001)
    y = graph.tensor("int8", (3, units), scale=0.5, zero_point=-5)
    graph.operator("FULLY_CONNECTED", [x, weights, offsets], [y], options=options("FullyConnectedOptions"))
    return graph.finish([x], [y])


def two_ends(inputs: int, outputs: int) -> bytes:
    graph = Graph()
    x = [graph.tensor("int8", (1, 4), scale=0.1) for _ in range(2)]
    y = [graph.tensor("int8", (1, 4), scale=0.2) for _ in range(2)]
    graph.operator("ADD", [x[0], x[inputs - 1]], [y[0]], options=options("AddOptions"))
    graph.operator("MUL", [x[0], x[0]], [y[1]], options=options("MulOptions"))
    return graph.finish(x[:inputs], y[:outputs])


def test_files_are_the_same_in_every_process():
    program = ("import hashlib; from random_tflite import random_model; from firmware_gen.target import CORES;"
               "from firmware_gen.compile import compile_model;"
               "files = compile_model(random_model(5), CORES['cortex-m7']).files;"
               "print(hashlib.sha256(repr(list(files.items())).encode()).hexdigest())")
    path = os.pathsep.join(sys.path)
    printed = {subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True,
                              env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}).stdout
               for seed in ("0", "1")}
    assert len(printed) == 1


@pytest.mark.parametrize("core", [M7, M55])
def test_every_include_is_there_and_nothing_is_left_over(core):
    files = compile_model(random_model(7), core).files
    included = set(re.findall(r'#include "(\w+\.h)"', "".join(files.values())))
    headers = {name for name in files if name.endswith(".h")}
    assert headers == included
    kernels = {name for name in files if name.endswith(".c")} - {f"tfser_{n}.c" for n in ("model", "weights", "tables")}
    assert not any(name.endswith(f"_{'pairs' if core.helium else 'rows'}.c") for name in kernels)


def test_a_model_without_layers_takes_no_layer_kernel():
    graph = Graph()
    x, y = (graph.tensor("int8", (2, 8), scale=0.1) for _ in range(2))
    graph.operator("ADD", [x, x], [y], options=options("AddOptions"))
    files = compile_model(graph.finish([x], [y]), M7).files
    assert not {name for name in files if name.endswith(".c")} - {"tfser_model.c", "tfser_weights.c", "tfser_tables.c"}


@pytest.mark.parametrize(("core", "depth", "units"), [(M7, 64, 64), (M7, 63, 31), (M55, 128, 33)])
def test_weights_take_little_more_than_their_bytes(core, depth, units):
    compiled = compile_model(dense_model(depth, units), core)
    raw = depth * units + 4 * units
    assert raw <= compiled.weights_bytes <= LARGEST_OVERHEAD * raw


def test_no_step_holds_stack_while_another_runs():
    model = compile_model(random_model(3), M55).files["tfser_model.c"]
    assert "#define STEP static __attribute__((noinline))\n" in model
    assert len(re.findall(r"^STEP void step\d+\(", model, re.M)) == len(re.findall(r"^    step\d+\(", model, re.M)) > 1


def test_equal_constants_are_written_once():
    graph = Graph()
    first = x = graph.tensor("int8", (1, 16), scale=0.1)
    data = np.random.default_rng(0).integers(-127, 128, (16, 16))
    for _ in range(2):
        weights = graph.tensor("int8", (16, 16), data=data, scale=0.01)
        y = graph.tensor("int8", (1, 16), scale=0.1)
        graph.operator("FULLY_CONNECTED", [x, weights, -1], [y], options=options("FullyConnectedOptions"))
        x = y
    assert compile_model(graph.finish([first], [x]), M7).weights_bytes == 16 * 16


def test_refuses_sums_that_int32_cannot_hold():
    with pytest.raises(InputError, match="may reach") as caught:
        compile_model(dense_model(1024, 2, bias=(1 << 31) - 1), M7)
    assert caught.value.code == "FG-EMIT-01"
    assert "FULLY_CONNECTED" in str(caught.value)


@pytest.mark.parametrize(("inputs", "outputs", "said"), [(2, 1, "2 inputs"), (1, 2, "2 outputs")])
def test_refuses_more_than_one_end(inputs, outputs, said):
    with pytest.raises(InputError, match=said):
        compile_model(two_ends(inputs, outputs), M7)


def test_run_refuses_null_and_unaligned_arenas(tmp_path):
    model = HostModel(dense_model(16, 4), "cortex-m7", tmp_path)
    memory = np.zeros(model.arena_bytes + 32, np.uint8)
    arena = memory.ctypes.data + -memory.ctypes.data % 16
    given, found = np.zeros(model.input_bytes, np.int8), np.full(model.output_bytes, 99, np.int8)
    run = ctypes.CDLL(str(tmp_path / "model.so")).tfser_model_run
    pointers = [given.ctypes.data, found.ctypes.data, arena]
    for missing in range(3):
        assert run(*(ctypes.c_void_p(None if at == missing else p) for at, p in enumerate(pointers))) == -1
    assert run(*map(ctypes.c_void_p, (*pointers[:2], arena + 8))) == -2
    assert (found == 99).all()
    assert run(*map(ctypes.c_void_p, pointers)) == 0
    assert not (found == 99).all()


def test_constants_go_where_the_macros_say(tmp_path):
    files = compile_model(dense_model(16, 4), M7).files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for kind, section in (("weights", ".external"), ("tables", ".fast")):
        macro = f"-DTFSER_{kind.upper()}_SECTION=__attribute__((section(\"{section}\")))"
        subprocess.run(["gcc", "-std=c11", "-c", f"tfser_{kind}.c", macro], cwd=tmp_path, check=True)
        told = subprocess.run(["objdump", "-h", f"tfser_{kind}.o"], cwd=tmp_path, check=True, capture_output=True,
                              text=True)
        assert section in told.stdout


def test_headers_are_cpp(tmp_path):
    files = compile_model(random_model(3), M7).files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    flags = "-std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++".split()
    for name in ("tfser_model.h", "tfser_weights.h", "tfser_tables.h", "tfser_profile.h"):
        subprocess.run(["g++", *flags, name], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize(("planned", "built", "works"), [
    ("cortex-m7", "cortex-m3", False), ("cortex-m7", "cortex-m33", True), ("cortex-m3", "cortex-m7", True),
    ("cortex-m55", "cortex-m3", True)])
def test_code_for_another_core_is_refused_where_its_arena_is_too_small(tmp_path, planned, built, works):
    for name, text in compile_model(dense_model(16, 4), CORES[planned]).files.items():
        (tmp_path / name).write_text(text)
    command = ["arm-none-eabi-gcc", *CORES[built].gcc_flags, "-std=c11", "-c", "tfser_model.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == works
    assert works or "DSP" in done.stderr


@pytest.mark.parametrize("core", [M7, M55])
@pytest.mark.parametrize("seed", range(4))
def test_constants_are_shared_out_among_the_parts(seed, core):
    """The bytes of a part are those of the arrays whose comments name its operators, each array once."""
    compiled = compile_model(random_model(seed), core)
    assert len(compiled.part_bytes) == len(compiled.parts)
    for kind, total in (("weights", compiled.weights_bytes), ("tables", compiled.tables_bytes)):
        assert sum(part[kind] for part in compiled.part_bytes) == total
        named = dict.fromkeys(compiled.parts, 0)
        arrays = re.findall(r"/\* (.*) \*/\n.* const (int8|int32)_t \w+\[(\d+)\]", compiled.files[f"tfser_{kind}.c"])
        for comment, dtype, count in arrays:  # "what of operators", or the operators alone
            named[comment.rpartition(" of ")[2]] += int(count) * (4 if dtype == "int32" else 1)
        assert sum(named.values()) == total
        for title in named:
            found = sum(part[kind] for part, own in zip(compiled.part_bytes, compiled.parts, strict=True)
                        if own == title)
            assert found == named[title]
