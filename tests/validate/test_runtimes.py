"""Interpreters in child processes: what they compute, and what becomes of those that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from one_operator import build
from tflite_builder import edit, small_model

from firmware_gen.frontend.tflite import read_tflite
from tfser.errors import CheckFailed, InputError, ToolError
from tfser.validate import runtimes
from tfser.validate.doctor import examine, runnable
from tfser.validate.runtimes import (
    RESOLVERS,
    litert_tensors,
    micro_arena_bytes,
    run_child,
    run_litert,
    run_tflite_micro,
    tflite_micro_tensors,
)


def crasher() -> bytes:
    """A sound file whose softmax has a scale so small that both interpreters abort on it."""
    def change(model):
        model.subgraphs[0].tensors[0].quantization.scale = [1e-38]
    return edit(build("SOFTMAX", "int8"), change)


INPUTS = np.random.default_rng(0).integers(-128, 128, (5, 1, 8), dtype=np.int8)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_outputs(resolver):
    """A small model computes the same in every interpreter, whatever leading axes the inputs have."""
    expected = run_tflite_micro(small_model(), INPUTS)
    assert expected.shape == (5, 4) and expected.dtype == np.int8
    assert np.unique(expected).size > 8
    assert np.array_equal(run_litert(small_model(), INPUTS, resolver=resolver), expected)
    assert np.array_equal(run_litert(small_model(), INPUTS[:, 0], resolver=resolver), expected)


def test_operator_that_the_reference_kernels_lack():
    """LiteRT's reference kernels have no ELU: it runs on the optimised ones."""
    outputs = run_litert(build("ELU", "int8"), np.ones((1, 4), np.int8))
    assert outputs.shape == (1, 4)


def test_tensors_inside_the_graph():
    wanted = [3, 4]
    micro, litert = tflite_micro_tensors(small_model(), INPUTS, wanted), litert_tensors(small_model(), INPUTS, wanted)
    assert sorted(micro) == wanted and micro[3].shape == (5, 1, 4)
    for index in wanted:
        assert np.abs(micro[index].astype(int) - litert[index]).max() <= 1
    assert np.array_equal(micro[4][:, 0], run_tflite_micro(small_model(), INPUTS))


@pytest.mark.parametrize("model", ["conformer_bn", "micro_speech_quantized"])
def test_arena_is_the_smallest(shared_models, model):
    content = (shared_models / f"{model}.tflite").read_bytes()
    shape = {"conformer_bn": (1, 100, 40), "micro_speech_quantized": (1, 1960)}[model]
    inputs = np.random.default_rng(1).integers(-128, 128, (2, *shape), dtype=np.int8)
    arena = micro_arena_bytes(content)
    assert arena % 16 == 0
    # The device's figures, measured (models/README.md); a 64-bit host needs more, but not much.
    device = {"conformer_bn": 47_332, "micro_speech_quantized": 6_836}[model]
    assert device < arena < 1.2 * device
    assert np.array_equal(run_tflite_micro(content, inputs, arena), run_tflite_micro(content, inputs))
    with pytest.raises(CheckFailed):
        run_tflite_micro(content, inputs, arena - 16)


@pytest.mark.parametrize(("run", "name"), [(run_litert, "LiteRT"), (run_tflite_micro, "TensorFlow Lite Micro")])
def test_a_crash_is_named(run, name):
    """Both abort in earnest on a file that reader and doctor find nothing wrong with."""
    assert runnable(examine(read_tflite(crasher())))
    with pytest.raises(CheckFailed) as caught:
        run(crasher(), np.ones((1, 4), np.int8))
    assert caught.value.code == "TF-RUN-04" and caught.value.exit_code == 1
    assert f"{name} crashed with SIGABRT" in caught.value.received


def test_a_refusal_repeats_what_the_interpreter_said():
    with pytest.raises(CheckFailed) as caught:
        run_tflite_micro(small_model(), INPUTS, 512)
    assert caught.value.code == "TF-RUN-02" and "Failed to resize buffer" in caught.value.received


def test_inputs_of_another_size():
    with pytest.raises(InputError, match=r"TF-RUN-06: inputs of int8\[9\] for a model that takes int8\[1, 8\]"):
        run_litert(small_model(), np.zeros((1, 9), np.int8))


@pytest.mark.parametrize(("package", "run"), [("tflite_micro", run_tflite_micro), ("ai_edge_litert", run_litert)])
def test_a_missing_interpreter_is_a_missing_tool(package, run, tmp_path, monkeypatch):
    (tmp_path / f"{package}.py").write_text("raise ImportError('not on this machine')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"TF-RUN-01.*not on this machine") as caught:
        run(small_model(), INPUTS)
    assert caught.value.exit_code == 3 and package.replace("_", "-") in caught.value.fix


def test_time_runs_out(monkeypatch):
    monkeypatch.setattr(runtimes, "TIMEOUT_S", 0.01)
    monkeypatch.setattr(runtimes, "TIMEOUT_PER_INPUT_S", 0.0)
    with pytest.raises(CheckFailed, match=r"TF-RUN-03: LiteRT did not end within 0\.01 s"):
        run_litert(small_model(), INPUTS)


def test_time_runs_out_for_a_child_and_its_children(tmp_path):
    code = "import os, sys, time; print(os.fork() or os.getpid(), file=sys.stderr, flush=True); time.sleep(60)"
    begin = time.monotonic()
    status, tail = run_child([sys.executable, "-c", code], tmp_path, 1.0)
    assert status is None and time.monotonic() - begin < 20
    for process in map(int, tail.split("; ")):
        for _ in range(100):  # the grandchild is reaped by whoever inherits it
            if not _alive(process):
                break
            time.sleep(0.05)
        assert not _alive(process)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_child_that_ends_without_an_answer(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match=r"TF-RUN-05.*status 1"):
        run_litert(small_model(), INPUTS)


def test_worker_does_without_tensorflow(tmp_path):
    """TensorFlow would cost every check seconds."""
    (tmp_path / "model.tflite").write_bytes(small_model())
    np.save(tmp_path / "inputs.npy", INPUTS)
    code = """
import json, pathlib, sys
from tfser.validate import worker
for task, request in (("litert", {"resolvers": ["BUILTIN_REF"]}), ("micro_arena", {})):
    pathlib.Path("request.json").write_text(json.dumps({"tensors": [], **request}))
    assert worker.main(task, pathlib.Path(".")) == 0
assert not {"tensorflow", "tf_keras", "keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
