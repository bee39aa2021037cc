"""Generated C under sanitizers, and free of warnings under every compiler at hand."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from compiled import WARNINGS, Oracle, inputs
from random_tflite import random_model
from unseen_models import unseen

from firmware_gen.compile import compile_model
from firmware_gen.image.host import run_on_host
from firmware_gen.image.toolchain import write_sources
from firmware_gen.target import CORES

FORMS = ("cortex-m7", "cortex-m55")
SHARED = ("conformer_ln", "kws_ref_model", "pretrainedResnet_quant", "micro_speech_quantized")
SEEDS = range(300, 316)
SANITIZED = ("gcc -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize-undefined-trap-on-error -O1 "
             "-fno-omit-frame-pointer")
COMPILERS = {"gcc": ("gcc",), "clang": ("clang",), "cortex-m3": ("arm-none-eabi-gcc", *CORES["cortex-m3"].gcc_flags),
             "cortex-m4": ("arm-none-eabi-gcc", *CORES["cortex-m4"].gcc_flags),
             "cortex-m55": ("arm-none-eabi-gcc", *CORES["cortex-m55"].gcc_flags)}


def assert_sanitized(monkeypatch, content: bytes, core: str) -> None:
    monkeypatch.setenv("CC", SANITIZED)
    oracle = Oracle(content)
    given = inputs(oracle.shape)
    run = run_on_host(compile_model(content, CORES[core]).files, np.array(given))
    assert np.array_equal(run.outputs.reshape(len(given), -1), np.array([oracle.run(x) for x in given]))


@pytest.mark.parametrize("core", FORMS)
@pytest.mark.parametrize("name", SHARED)
def test_shared_models_under_sanitizers(monkeypatch, shared_models, name, core):
    assert_sanitized(monkeypatch, (shared_models / f"{name}.tflite").read_bytes(), core)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs_under_sanitizers(monkeypatch, seed):
    assert_sanitized(monkeypatch, random_model(seed), FORMS[seed % len(FORMS)])


def test_sanitizers_are_at_work(monkeypatch):
    """The arena one byte short, and the run must end."""
    monkeypatch.setenv("CC", SANITIZED)
    files = compile_model(random_model(0), CORES["cortex-m7"]).files
    head = files["tfser_model.h"]
    size = next(line.split()[-1] for line in head.splitlines() if "ARENA_BYTES" in line)
    files["tfser_model.h"] = head.replace(f"ARENA_BYTES {size}", "ARENA_BYTES 16")
    with pytest.raises(Exception, match="model"):
        run_on_host(files, np.zeros((1, 1), np.int8))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("source", ["conformer_ln", "vision_transformer", 301, 302])
def test_no_warning(tmp_path, request, compiler, source):
    if shutil.which(COMPILERS[compiler][0]) is None:
        pytest.skip(f"{COMPILERS[compiler][0]} is not installed")
    if isinstance(source, int):
        content = random_model(source)
    elif source == "vision_transformer":
        content = unseen(source)
    else:
        content = (request.getfixturevalue("shared_models") / f"{source}.tflite").read_bytes()
    files = compile_model(content, CORES[compiler if compiler in CORES else "cortex-m7"]).files
    write_sources(tmp_path, files)
    generated = [name for name in files if name.endswith(".c")]
    profiled = [name for name in generated if "TFSER_PROFILE" in files[name]]
    assert profiled
    # One file a call: the kernels are those of other models too, and a cache can tell.
    for name, flags in (*((name, ()) for name in generated), *((name, ("-DTFSER_PROFILE",)) for name in profiled)):
        done = subprocess.run([*COMPILERS[compiler], "-std=c11", "-O2", *flags, *WARNINGS, "-c", name], cwd=tmp_path,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
