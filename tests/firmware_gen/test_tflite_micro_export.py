"""The exported application: built with TensorFlow Lite Micro's own headers, linked with it, run.

The headers and the library are from requirements-tflm.lock. That library has no BATCH_MATMUL
kernel, so models with attention are compiled here and not run.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from firmware_gen.errors import InputError
from firmware_gen.export.op_resolver import RESOLVER_METHODS, op_resolver_header
from firmware_gen.export.tflite_micro import ARENA_MARGIN_BYTES, arena_with_margin, export_tflite_micro
from firmware_gen.frontend.model import Model
from firmware_gen.frontend.tflite import read_tflite

# The smallest arenas, found by bisection, with a little room.
ARENAS = {"kws_ref_model": 24_300, "pretrainedResnet_quant": 56_000, "micro_speech_quantized": 7_600,
          "conformer_bn": 52_300, "conformer_ln": 65_800}
RUNNABLE = ("kws_ref_model", "pretrainedResnet_quant")
WARNINGS = ("-Wall", "-Wextra", "-Werror")


class Tflm(NamedTuple):
    """Where TensorFlow Lite Micro is on this machine."""

    include_folders: list[Path]
    shared_object: Path


@pytest.fixture(scope="session")
def tflm() -> Tflm:
    xmos = Path(sys.prefix, "tflm", "xmos_ai_tools")
    if not xmos.is_dir():
        pytest.skip("TensorFlow Lite Micro's headers are not installed (tools/setup.sh tests)")
    tensorflow = importlib.util.find_spec("tensorflow")  # its folder, without importing it
    assert tensorflow and tensorflow.submodule_search_locations
    gemmlowp = Path(tensorflow.submodule_search_locations[0]) / "include/external/gemmlowp"
    return Tflm([xmos / "runtime/include", gemmlowp], xmos / "xinterpreters/libs/linux/xtflm_python.so")


def run_on_tflite_micro(content: bytes, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """An input near the zero point, so that the output does not saturate, and its output."""
    runtime = pytest.importorskip("tflite_micro").runtime
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    noise = np.random.default_rng(0).normal(0, 20, tensor.shape)
    given = np.clip(noise + tensor.zero_point[0], -128, 127).astype(np.int8)
    interpreter = runtime.Interpreter.from_bytes(content)
    interpreter.set_input(given, 0)
    interpreter.invoke()
    return given, interpreter.get_output(0)


def export(shared_models: Path, name: str, folder: Path, labels: Sequence[str] | None = None) -> Path:
    content = (shared_models / f"{name}.tflite").read_bytes()
    model = read_tflite(content)
    self_test = run_on_tflite_micro(content, model)
    export_tflite_micro(model, content, folder, arena_bytes=ARENAS[name], self_test=self_test,
                        labels=labels or [f"label{index}" for index in range(self_test[1].size)])
    return folder


def cmake(folder: Path, tflm: Tflm) -> subprocess.CompletedProcess[str]:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    includes = ";".join(map(str, tflm.include_folders))
    return subprocess.run(["cmake", "-S", folder, "-B", folder / "build", f"-DTFLM_INCLUDE_DIRS={includes}",
                           f"-DTFLM_LIBRARY={tflm.shared_object}", "-DTFLM_DEFINITIONS=",  # it is built without
                           f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)}", f"-DCMAKE_CXX_FLAGS={' '.join(WARNINGS)}"],
                          capture_output=True, text=True, check=False)


def build_and_run(folder: Path) -> subprocess.CompletedProcess[str]:
    built = subprocess.run(["cmake", "--build", folder / "build"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    result = subprocess.run([folder / "build/tfser_self_test"], capture_output=True, text=True, check=False)
    return subprocess.CompletedProcess(result.args, result.returncode, result.stdout + result.stderr)


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_application_reproduces_tflite_micro(tmp_path: Path, shared_models: Path, tflm: Tflm, name: str) -> None:
    folder = export(shared_models, name, tmp_path / "app")
    configured = cmake(folder, tflm)
    assert configured.returncode == 0, configured.stderr
    result = build_and_run(folder)
    assert result.returncode == 0, result.stdout
    expected = expected_output(folder)
    assert np.unique(expected).size > 2
    assert f"PASS: {expected.size} output bytes equal, label label{expected.argmax()}" in result.stdout


def test_the_application_fails_when_it_should(tmp_path: Path, shared_models: Path, tflm: Tflm) -> None:
    folder = export(shared_models, "micro_speech_quantized", tmp_path / "app")
    model = read_tflite((shared_models / "micro_speech_quantized.tflite").read_bytes())
    cmake(folder, tflm)
    assert build_and_run(folder).returncode == 0

    *_, last = map(int, expected_output(folder))
    pristine = nudge(folder / "self_test_data.c", rf"{last},\n}};(?!.*\n}};)", f"{last + 1},\n}};")
    result = build_and_run(folder)
    assert result.returncode == 1
    assert f"output[3] is {last}, expected {last + 1}" in result.stdout
    assert "FAIL: the output differs" in result.stdout
    (folder / "self_test_data.c").write_text(pristine, encoding="utf-8")

    bias = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == "MatMul_bias")
    pristine = nudge(folder / "model_data.c", rf"(?<=\{{)((?:\s*0x..,){{{bias.data_offset + 1}}}\s*)0x..", r"\g<1>0x7f")
    assert build_and_run(folder).returncode == 1
    (folder / "model_data.c").write_text(pristine, encoding="utf-8")

    nudge(folder / "model_config.h", r"ARENA_BYTES \d+", "ARENA_BYTES 4096")
    result = build_and_run(folder)
    assert result.returncode == 1
    assert "FAIL: TFSER_ARENA_BYTES is too small" in result.stdout


@pytest.mark.parametrize("compiler", ["g++", "clang++", "arm-none-eabi-g++ -mcpu=cortex-m55 -mthumb -mfloat-abi=hard"])
def test_attention_compiles_as_cpp17(tmp_path: Path, shared_models: Path, tflm: Tflm, compiler: str) -> None:
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"no {compiler.split()[0]}")
    folder = export(shared_models, "conformer_ln", tmp_path)
    includes = [option for path in tflm.include_folders for option in ("-isystem", str(path))]
    result = subprocess.run([*compiler.split(), "-std=c++17", *WARNINGS, "-Wpedantic", "-DTF_LITE_STATIC_MEMORY",
                             *includes, "-fsyntax-only", "main.cc"], cwd=folder, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr


def test_every_resolver_method_is_in_the_real_header(tflm: Tflm) -> None:
    text = (tflm.include_folders[0] / "tensorflow/lite/micro/micro_mutable_op_resolver.h").read_text(encoding="utf-8")
    methods = dict(re.findall(r"TfLiteStatus Add(\w+)\([^{]*\{\s*return AddBuiltin\(BuiltinOperator_(\w+),", text))
    assert {name: method for method, name in methods.items()} == RESOLVER_METHODS


def test_the_resolver_has_exactly_the_operators_used(shared_models: Path) -> None:
    text = op_resolver_header(read_tflite((shared_models / "kws_ref_model.tflite").read_bytes()))
    assert "MicroMutableOpResolver<6>" in text
    assert re.findall(r"resolver\.(\w+)\(\)", text) == ["AddAveragePool2D", "AddConv2D", "AddDepthwiseConv2D",
                                                        "AddFullyConnected", "AddReshape", "AddSoftmax"]


@pytest.mark.parametrize("name", ["GELU", "CUSTOM", "BUILTIN_209"])
def test_an_operator_without_a_resolver_method_is_refused(shared_models: Path, name: str) -> None:
    model = read_tflite((shared_models / "kws_ref_model.tflite").read_bytes())
    subgraph = model.subgraphs[0]
    foreign = dataclasses.replace(subgraph.operators[3], name=name)
    operators = (*subgraph.operators[:3], foreign, *subgraph.operators[4:])
    model = dataclasses.replace(model, subgraphs=(dataclasses.replace(subgraph, operators=operators),))
    with pytest.raises(InputError, match=f"FG-EXPORT-01: operator 3 {name}"):
        op_resolver_header(model)


def test_cmake_says_what_is_missing(tmp_path: Path, shared_models: Path) -> None:
    folder = export(shared_models, "micro_speech_quantized", tmp_path / "app")
    result = cmake(folder, Tflm([], Path()))
    assert result.returncode != 0
    assert "No tensorflow/lite/micro/micro_interpreter.h in TFLM_INCLUDE_DIRS" in result.stderr


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, shared_models: Path) -> None:
    first, second = (export(shared_models, "kws_ref_model", tmp_path / name) for name in ("a", "b"))
    files = sorted(path.name for path in first.iterdir())
    assert files == ["CMakeLists.txt", "LICENSE", "README.md", "main.cc", "model_config.h", "model_data.c",
                     "model_data.h", "op_resolver.h", "self_test_data.c", "self_test_data.h"]
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert "@" not in (first / name).read_text(encoding="utf-8")


def test_config_gives_the_quantisation_and_labels(tmp_path: Path, shared_models: Path) -> None:
    labels = ["Ärger", 'say "no"', "a\\b", "what??/", "1\n2", "", *"ghijkl"]
    folder = export(shared_models, "kws_ref_model", tmp_path, labels)
    (tmp_path / "print.c").write_text(
        '#include <stdio.h>\n#include "model_config.h"\nint main(void) {\n'
        "  const char *labels[TFSER_NUM_LABELS] = TFSER_LABELS;\n"
        "  for (int i = 0; i < TFSER_NUM_LABELS; ++i) puts(labels[i]);\n"
        '  printf("%a %d %a %d %d", TFSER_INPUT_SCALE, TFSER_INPUT_ZERO_POINT, TFSER_OUTPUT_SCALE,\n'
        "         TFSER_OUTPUT_ZERO_POINT, TFSER_ARENA_BYTES);\n  return 0;\n}\n", encoding="utf-8")
    subprocess.run(["gcc", "-std=c11", *WARNINGS, "print.c", "-o", "print"], cwd=folder, check=True)
    printed = subprocess.run(["./print"], cwd=folder, check=True, capture_output=True).stdout.decode()
    assert printed.startswith("".join(f"{label}\n" for label in labels))
    subgraph = read_tflite((shared_models / "kws_ref_model.tflite").read_bytes()).subgraphs[0]
    given, got = subgraph.tensors[subgraph.inputs[0]], subgraph.tensors[subgraph.outputs[0]]
    figures = printed.splitlines()[-1].split()
    assert [float.fromhex(figures[0]), float.fromhex(figures[2])] == [given.scale[0], got.scale[0]]
    assert [int(figure) for figure in (figures[1], figures[3], figures[4])] == [
        given.zero_point[0], got.zero_point[0], arena_with_margin(ARENAS["kws_ref_model"])]


@pytest.mark.parametrize("measured", [1, 15, 16, 52_208, 65_709])
def test_the_arena_has_the_margin_and_is_aligned(measured: int) -> None:
    arena = arena_with_margin(measured)
    assert arena % 16 == 0
    assert 0 <= arena - measured - ARENA_MARGIN_BYTES < 16


def test_wrong_labels_and_self_tests_are_refused(tmp_path: Path, shared_models: Path) -> None:
    content = (shared_models / "micro_speech_quantized.tflite").read_bytes()
    model = read_tflite(content)
    given, got = np.zeros((1, 1960), np.int8), np.zeros((1, 4), np.int8)
    for labels, self_test, code in ((["a"], (given, got), "FG-EXPORT-02"),
                                    (list("abcd"), (given[:, 1:], got), "FG-EXPORT-04"),
                                    (list("abcd"), (given, got.astype(np.float32)), "FG-EXPORT-04")):
        with pytest.raises(InputError, match=code):
            export_tflite_micro(model, content, tmp_path / "app", arena_bytes=1, labels=labels, self_test=self_test)
    assert not (tmp_path / "app").exists()


def test_a_model_with_float_input_is_refused(tmp_path: Path, shared_models: Path) -> None:
    content = (shared_models / "micro_speech_quantized.tflite").read_bytes()
    model = read_tflite(content)
    subgraph = model.subgraphs[0]
    tensors = [dataclasses.replace(tensor, dtype="float32") if tensor.index in subgraph.inputs else tensor
               for tensor in subgraph.tensors]
    model = dataclasses.replace(model, subgraphs=(dataclasses.replace(subgraph, tensors=tuple(tensors)),))
    with pytest.raises(InputError, match=r"FG-EXPORT-03: inputs tensor .* \(float32"):
        export_tflite_micro(model, content, tmp_path / "app", arena_bytes=1, labels=list("abcd"),
                            self_test=(np.zeros(1960, np.int8), np.zeros(4, np.int8)))


def expected_output(folder: Path) -> np.ndarray:
    body = re.search(r"tfser_self_test_output\[\d+\] = \{(.*?)\}",
                     (folder / "self_test_data.c").read_text(encoding="utf-8"), re.DOTALL)
    assert body is not None
    return np.array(re.findall(r"-?\d+", body[1]), int)


def nudge(file: Path, pattern: str, replacement: str) -> str:
    """Replace the one match of ``pattern`` and return the text as it was."""
    text = file.read_text(encoding="utf-8")
    changed, count = re.subn(pattern, replacement, text, flags=re.DOTALL)
    assert count == 1
    file.write_text(changed, encoding="utf-8")
    return text
