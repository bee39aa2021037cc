"""``tfser compile``: what the folder holds, that it repeats, and what stops it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from one_operator import build as one_operator
from tflite_builder import Graph, options

from firmware_gen.target import CORES

HAS_CHIP = shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")
needs_chip = pytest.mark.skipif(not HAS_CHIP, reason="needs arm-none-eabi-gcc and qemu-system-arm "
                                                     "(tools/setup.sh toolchain)")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-pedantic", "-Werror")


@pytest.fixture(scope="module")
def model(shared_models) -> Path:
    return shared_models / "micro_speech_quantized.tflite"


@pytest.fixture(scope="module")
def compiled(model, tmp_path_factory) -> Path:
    from tfser.cli.main import main

    out = tmp_path_factory.mktemp("compiled") / "first"
    assert main(["compile", str(model), "--target", "cortex-m4", "--out", str(out)]) == 0
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def test_the_folder_is_the_contracts_without_training(compiled):
    expected = {"model.tflite", "manifest.json", "memory.svg", "firmware", *(["firmware.elf"] if HAS_CHIP else [])}
    assert {path.name for path in compiled.iterdir()} == expected


def test_the_manifest_lists_every_other_file_with_its_hash(compiled):
    files = contents(compiled)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert manifest["schema_version"] == 1
    for name, value in manifest["measured"].items():
        assert isinstance(value, int) or manifest["reasons"][name]


@needs_chip
def test_every_figure_is_measured(compiled):
    measured = json.loads((compiled / "manifest.json").read_text())["measured"]
    assert all(type(value) is int for value in measured.values())
    assert measured["static_ram_bytes"] == 0
    assert measured["firmware_elf_bytes"] == (compiled / "firmware.elf").stat().st_size


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_sources_compile_alone(compiled, compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    sources = sorted(path.name for path in (compiled / "firmware").glob("*.c"))
    subprocess.run([compiler, *STRICT, "-c", *sources], cwd=shutil.copytree(compiled / "firmware", tmp_path / "c"),
                   check=True)


MAIN = """
#include <stdalign.h>
#include <stdio.h>
#include "tfser_model.h"

static int8_t input[TFSER_MODEL_INPUT_BYTES], output[TFSER_MODEL_OUTPUT_BYTES];
alignas(TFSER_MODEL_ARENA_ALIGNMENT) static unsigned char arena[TFSER_MODEL_ARENA_BYTES];

int main(void) {
    if (fread(input, 1, sizeof input, stdin) != sizeof input || tfser_model_run(input, output, arena) != 0) {
        return 1;
    }
    return fwrite(output, 1, sizeof output, stdout) != sizeof output;
}
"""


@pytest.mark.parametrize("command", ["gcc -std=c11 -O2 -Iv/firmware main.c v/firmware/*.c -o main",
                                     "gcc -std=c11 -c v/firmware/*.c && g++ -Iv/firmware main.cpp *.o -o main"])
def test_a_project_of_the_users_own(compiled, model, command, tmp_path):
    """The arena is the user's, buffers lie outside of it: what the README's lines make."""
    from tfser.validate.runtimes import run_tflite_micro

    if shutil.which(command.split()[0]) is None or ("g++" in command and shutil.which("g++") is None):
        pytest.skip("no compiler for this machine")
    shutil.copytree(compiled, tmp_path / "v")
    for name in ("main.c", "main.cpp"):
        (tmp_path / name).write_text(MAIN)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    x = np.random.default_rng(7).integers(-128, 0, (1, 1, 1960)).astype(np.int8)
    ran = subprocess.run([tmp_path / "main"], input=x.tobytes(), capture_output=True, check=True)
    assert np.frombuffer(ran.stdout, np.int8).tolist() == run_tflite_micro(model.read_bytes(), x).reshape(-1).tolist()


def test_no_file_names_a_place_or_a_time(compiled, model):
    for name, data in contents(compiled).items():
        for place in (str(compiled), str(compiled.parent), str(model.parent), str(Path.home()), "/tmp/"):
            assert place.encode() not in data, name
        if name != "model.tflite":
            assert not re.search(rb"20[2-9]\d-[01]\d-[0-3]\d", data), name


def test_the_same_model_gives_the_same_bytes(compiled, model, tmp_path, tfser):
    assert tfser("compile", model, "--target", "cortex-m4", "--out", tmp_path / "again").code == 0
    assert contents(tmp_path / "again") == contents(compiled)


def test_json_is_one_object(model, tmp_path, tfser):
    result = tfser("compile", model, "--target", "nucleo-u575zi-q", "--out", tmp_path / "o", "--json").json()
    assert result["schema_version"] == 1
    assert result["target"] == "nucleo-u575zi-q"
    assert result["input"]["shape"] == [1, 1960]
    assert result["measured"]["arena_bytes"] > 1960
    assert result["size"]["ok"] is True


def test_size_reads_the_folder(compiled, tfser):
    result = tfser("size", compiled, "--json")
    assert result.code == 0
    figures = result.json()["figures"]
    assert figures["arena_bytes"]["kind"] == "measured"
    assert figures["flash_code_bytes"]["kind"] == ("measured" if HAS_CHIP else "estimate")


def test_without_tools_the_sources_are_delivered(model, compiled, tmp_path, monkeypatch, tfser):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out"
    assert tfser("compile", model, "--target", "cortex-m4", "--out", out).code == 0
    assert not (out / "firmware.elf").exists()
    assert contents(out / "firmware") == contents(compiled / "firmware")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["measured"]["firmware_elf_bytes"] is None
    assert manifest["reasons"]["firmware_elf_bytes"] == "arm-none-eabi-gcc is not installed"
    assert manifest["size"]["figures"]["flash_code_bytes"]["kind"] == "estimate"


@needs_chip
def test_without_the_emulator_the_image_is_delivered(model, compiled, tmp_path, monkeypatch, tfser):
    from firmware_gen.image import toolchain

    monkeypatch.setattr(toolchain, "EMULATOR", "qemu-system-of-another-name")
    out = tmp_path / "out"
    assert tfser("compile", model, "--target", "cortex-m4", "--out", out).code == 0
    assert (out / "firmware.elf").read_bytes() == (compiled / "firmware.elf").read_bytes()
    measured = json.loads((out / "manifest.json").read_text())["measured"]
    assert measured["flash_code_bytes"] > 0
    assert measured["stack_bytes"] is None


@needs_chip
def test_a_compiler_without_call_graphs_gives_no_bound(model, compiled, tmp_path, monkeypatch, tfser):
    """GCC before 10: all but the bound is delivered."""
    real = shutil.which("arm-none-eabi-gcc")
    older = tmp_path / "bin" / "arm-none-eabi-gcc"
    older.parent.mkdir()
    older.write_text(f'#!/bin/sh\ncase "$*" in *callgraph*) echo "unrecognized option" >&2; exit 1;; esac\n'
                     f'exec {real} "$@"\n')
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{older.parent}:{os.environ['PATH']}")
    assert tfser("compile", model, "--target", "cortex-m4", "--out", tmp_path / "b").code == 0
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["measured"]["stack_bound_bytes"] is None
    assert "unrecognized option" in manifest["reasons"]["stack_bound_bytes"]
    assert manifest["measured"]["stack_bytes"] > 0
    assert contents(tmp_path / "b" / "firmware") == contents(compiled / "firmware")


def test_a_tool_that_fails_leaves_nothing(model, tmp_path, monkeypatch, tfser):
    fake = tmp_path / "bin" / "arm-none-eabi-gcc"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    result = tfser("compile", model, "--target", "cortex-m4", "--out", tmp_path / "out")
    assert result.code == 3
    assert "FG-IMG-06" in result.err and "broken" in result.err
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}


def test_a_model_that_does_not_fit_says_by_how_much(shared_models, tmp_path, tfser):
    """ResNet's arena is more than the board's 20 KiB."""
    result = tfser("compile", shared_models / "pretrainedResnet_quant.tflite", "--target", "nucleo-f103rb",
                   "--out", tmp_path / "out")
    assert result.code == 1
    assert "FG-PLAN-04" in result.err and "B more than nucleo-f103rb" in result.err
    assert not any(tmp_path.iterdir())


def test_weights_that_do_not_fit_say_by_how_much(tmp_path, monkeypatch, tfser):
    """360,000 bytes of weights for 128 KiB of flash; weights and an estimate of the code are enough to say so."""
    graph = Graph()
    x, y = graph.tensor("int8", (1, 600)), graph.tensor("int8", (1, 600))
    w = graph.tensor("int8", (600, 600), data=np.ones((600, 600), np.int8), scale=0.01, name="head/kernel")
    graph.operator("FULLY_CONNECTED", [x, w], [y], options=options("FullyConnectedOptions"))
    (tmp_path / "m.tflite").write_bytes(graph.finish([x], [y]))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = tfser("compile", tmp_path / "m.tflite", "--target", "nucleo-f103rb", "--out", tmp_path / "out")
    assert result.code == 1
    assert "TF-COMP-01" in result.err
    assert re.search(r"flash \d+ B > 131072 B \(nucleo-f103rb\), \d+ B over; largest: head/kernel 360000 B", result.err)
    assert {path.name for path in tmp_path.iterdir()} == {"m.tflite"}


@pytest.mark.parametrize(("content", "target", "code"), [
    (b"", "cortex-m4", 2), (b"not a model", "cortex-m4", 2), (one_operator("ADD", "float32"), "cortex-m4", 2),
    (one_operator("ADD", "int8"), "cortex-m9", 2),
])
def test_bad_input(content, target, code, tmp_path, tfser):
    (tmp_path / "m.tflite").write_bytes(content)
    result = tfser("compile", tmp_path / "m.tflite", "--target", target, "--out", tmp_path / "out")
    assert result.code == code
    assert result.out == ""
    assert result.err.count("error FG-") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"m.tflite"}


@pytest.mark.parametrize("after_s", [0, 0.5])
def test_interrupted_it_leaves_what_was_there(after_s, shared_models, tmp_path):
    code = "import sys; from tfser.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "compile", shared_models / "conformer_ln.tflite", "--target", "cortex-m4"]
    with subprocess.Popen([*command, "--out", tmp_path / "out"], stderr=subprocess.PIPE, text=True) as process:
        assert "compiling" in process.stderr.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not any(tmp_path.iterdir())


def test_without_tensorflow(shared_models, tmp_path):
    code = ("import sys; from tfser.cli.main import main; status = main(sys.argv[1:]); "
            "assert not {'tensorflow', 'tf_keras', 'librosa', 'tflite_micro'} & set(sys.modules); sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", code, "compile", shared_models / "micro_speech_quantized.tflite",
                             "--target", "cortex-m3", "--out", tmp_path / "out"], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr


def test_a_folder_with_other_files_is_left_alone(model, tmp_path, tfser):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    result = tfser("compile", model, "--target", "cortex-m4", "--out", tmp_path / "mine")
    assert result.code == 2
    assert "TF-OUT-02" in result.err
    assert contents(tmp_path) == {"mine/notes.txt": b"mine"}
    assert "TF-OUT-01" in tfser("compile", model, "--target", "cortex-m4", "--out", tmp_path / "mine/notes.txt").err


def test_an_earlier_result_is_replaced_or_kept_whole(compiled, tmp_path, tfser):
    out = shutil.copytree(compiled, tmp_path / "out")
    (tmp_path / "m.tflite").write_bytes(one_operator("TRANSPOSE", "float32"))
    assert tfser("compile", tmp_path / "m.tflite", "--target", "cortex-m4", "--out", out).code == 2
    assert contents(out) == contents(compiled)
    (tmp_path / "m.tflite").write_bytes(one_operator("TRANSPOSE", "int8"))
    assert tfser("compile", tmp_path / "m.tflite", "--target", "cortex-m4", "--out", out).code == 0
    assert (out / "model.tflite").read_bytes() == one_operator("TRANSPOSE", "int8")
    assert not set(contents(out)["manifest.json"]) - set(range(128))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("arguments", [["absent.tflite", "--target", "cortex-m4", "--out", "o"],
                                       ["--target", "cortex-m4", "--out", "o"], ["m.tflite", "--out", "o"]])
def test_bad_usage(arguments, tmp_path, monkeypatch, tfser):
    monkeypatch.chdir(tmp_path)
    assert tfser("compile", *arguments).code == 2
    assert not any(tmp_path.iterdir())


@needs_chip
@pytest.mark.parametrize("core", CORES)
def test_every_core_gives_the_oracles_bytes(model, core, tmp_path, tfser):
    from tfser.validate.runtimes import run_tflite_micro

    x = np.random.default_rng(1).integers(-128, 128, (3, 1, 1960)).astype(np.int8)
    x[1:] = np.clip(x[1:] // 4 - 90, -128, 127)
    np.save(tmp_path / "x.npy", x)
    assert tfser("compile", model, "--target", core, "--out", tmp_path / "o").code == 0
    result = tfser("run", tmp_path / "o", "--input", tmp_path / "x.npy", "--json")
    assert result.code == 0
    expected = run_tflite_micro(model.read_bytes(), x)
    np.testing.assert_array_equal(np.array(result.json()["outputs"], np.int8).reshape(3, -1), expected.reshape(3, -1))
    assert np.unique(expected).size > 2
