"""``tfser run``: inputs of every form, figures, profile, and what stops it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from build_folders import make_build
from one_operator import build as one_operator

HAS_CHIP = shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")
needs_chip = pytest.mark.skipif(not HAS_CHIP, reason="needs arm-none-eabi-gcc and qemu-system-arm "
                                                     "(tools/setup.sh toolchain)")
FIGURES = {"instructions_per_inference", "arena_bytes", "stack_bytes", "flash_code_bytes", "flash_tables_bytes",
           "flash_weights_bytes", "static_ram_bytes"}


@pytest.fixture(scope="module")
def compiled(shared_models, tmp_path_factory) -> Path:
    from tfser.cli.main import main

    out = tmp_path_factory.mktemp("run") / "kws"
    assert main(["compile", str(shared_models / "kws_ref_model.tflite"), "--target", "cortex-m7",
                 "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, (3, 1, 49, 10, 1)).astype(np.int8)


@pytest.fixture(scope="module")
def expected(shared_models, inputs) -> np.ndarray:
    from tfser.validate.runtimes import run_tflite_micro

    return run_tflite_micro((shared_models / "kws_ref_model.tflite").read_bytes(), inputs).reshape(3, 1, 12)


@pytest.fixture
def stacked(inputs, tmp_path) -> Path:
    np.save(tmp_path / "x.npy", inputs)
    return tmp_path / "x.npy"


@pytest.mark.parametrize("runner", [pytest.param("qemu", marks=needs_chip), "host"])
def test_stacked_inputs(runner, compiled, stacked, expected, tmp_path, tfser):
    result = tfser("run", compiled, "--input", stacked, "--output", tmp_path / "y.npy", "--runner", runner, "--json")
    assert result.code == 0, result.err
    y = np.load(tmp_path / "y.npy")
    assert (y.dtype, y.shape) == (np.int8, (3, 1, 12))
    np.testing.assert_array_equal(y, expected)
    assert result.json()["outputs"] == expected.tolist()
    assert result.json()["schema_version"] == 1
    assert set(result.json()) >= FIGURES


def test_one_input_is_not_stacked(compiled, inputs, expected, tmp_path, tfser):
    np.save(tmp_path / "x.npy", np.asfortranarray(inputs[1]))
    result = tfser("run", compiled, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy", "--runner", "host")
    assert result.code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected[1])


@needs_chip
def test_the_figures_repeat_and_are_the_manifests(compiled, stacked, tfser):
    first, again = (tfser("run", compiled, "--input", stacked, "--json").json() for _ in range(2))
    assert first == again
    measured = json.loads((compiled / "manifest.json").read_text())["measured"]
    for name in ("arena_bytes", "flash_code_bytes", "flash_weights_bytes", "static_ram_bytes", "stack_bytes"):
        assert first[name] == measured[name] >= 0
    assert 1_000_000 < first["instructions_per_inference"] < 10_000_000


def test_the_host_counts_no_instructions(compiled, stacked, tfser):
    result = tfser("run", compiled, "--input", stacked, "--runner", "host", "--json").json()
    assert result["instructions_per_inference"] is None
    assert result["stack_bytes"] is None
    assert result["arena_bytes"] > 0


@needs_chip
def test_a_profile_adds_up(compiled, stacked, tfser):
    result = tfser("run", compiled, "--input", stacked, "--profile", "--json").json()
    spent = sum(step["instructions"] for step in result["profile"])
    assert abs(spent / result["instructions_per_inference"] - 1) < 0.02
    assert len(result["profile"]) > 5
    assert all(step["step"] for step in result["profile"])
    text = tfser("run", compiled, "--input", stacked, "--profile").out
    assert "100.0%" not in text and "%" in text


@needs_chip
def test_an_image_is_linked_where_the_folder_has_none(compiled, stacked, expected, tmp_path, tfser):
    folder = shutil.copytree(compiled, tmp_path / "b")
    (folder / "firmware.elf").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["firmware.elf"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = tfser("run", folder, "--input", stacked, "--json")
    assert result.json()["outputs"] == expected.tolist()
    assert result.json()["flash_code_bytes"] > 0


@pytest.mark.parametrize(("array", "code"), [
    (np.zeros((1, 49, 10, 1), np.float32), "TF-SIM-03"), (np.zeros((1, 49, 10, 1), np.uint8), "TF-SIM-03"),
    (np.zeros((1, 49, 10), np.int8), "TF-SIM-04"), (np.zeros((3, 49, 10, 1), np.int8), "TF-SIM-04"),
    (np.zeros((0, 1, 49, 10, 1), np.int8), "TF-SIM-04"), (np.zeros((), np.int8), "TF-SIM-04"),
    (np.zeros((2, 2, 1, 49, 10, 1), np.int8), "TF-SIM-04"),
])
def test_an_array_that_does_not_fit(array, code, compiled, tmp_path, tfser):
    np.save(tmp_path / "x.npy", array)
    result = tfser("run", compiled, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert result.code == 2
    assert code in result.err
    assert ("x.reshape(-1, 1, 49, 10, 1)" in result.err) == (code == "TF-SIM-04" and array.size > 1)
    assert result.out == ""
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"no array", None])
def test_a_file_that_is_no_array(content, compiled, tmp_path, tfser):
    if content is not None:
        (tmp_path / "x.npy").write_bytes(content)
    result = tfser("run", compiled, "--input", tmp_path / "x.npy")
    assert result.code == 2
    assert "TF-SIM-02" in result.err


def test_pickles_are_not_opened(compiled, tmp_path, tfser):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    assert "TF-SIM-02" in tfser("run", compiled, "--input", tmp_path / "x.npy").err
    np.savez(tmp_path / "z.npz", a=np.zeros(1))
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    assert "TF-SIM-03" in tfser("run", compiled, "--input", tmp_path / "z.npy").err


def test_a_recording_for_a_model_that_takes_none(compiled, tmp_path, tfser):
    assert "TF-SIM-05" in tfser("run", compiled, "--input", tmp_path / "clip.wav").err
    (tmp_path / "clip.wav").write_bytes(b"RIFF")
    result = tfser("run", compiled, "--input", tmp_path / "clip.wav")
    assert result.code == 2
    assert "TF-SIM-06" in result.err


def test_folders_that_cannot_be_run(tmp_path, compiled, stacked, tfser):
    assert "FG-BUILD-03" in tfser("run", tmp_path / "none", "--input", stacked).err
    old = make_build(tmp_path / "old", one_operator("ADD", "int8"))
    assert "TF-SIM-01" in tfser("run", old, "--input", stacked).err
    changed = shutil.copytree(compiled, tmp_path / "changed")
    with (changed / "firmware" / "tfser_model.c").open("a") as stream:
        stream.write("\n")
    assert "FG-BUILD-09" in tfser("run", changed, "--input", stacked).err


def test_a_folder_of_another_target(compiled, stacked, tfser):
    result = tfser("run", compiled, "--input", stacked, "--target", "cortex-m4")
    assert result.code == 2
    assert "TF-SIM-08" in result.err and "built for cortex-m7" in result.err
    assert tfser("run", compiled, "--input", stacked, "--target", "nucleo-h743zi2", "--runner", "host").code == 0


def edited(compiled: Path, folder: Path, **changes: object) -> Path:
    shutil.copytree(compiled, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    return folder


def test_a_target_edited_by_hand(compiled, stacked, tmp_path, tfser):
    result = tfser("run", edited(compiled, tmp_path / "a", target="cortex-m9"), "--input", stacked)
    assert result.code == 2
    assert "FG-TARGET-01" in result.err


@needs_chip
@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m33"])
def test_an_image_on_another_core_ends(core, compiled, stacked, tmp_path, tfser):
    """Its instructions or its memory do not exist there: an error, no endless run."""
    result = tfser("run", edited(compiled, tmp_path / "a", target=core), "--input", stacked)
    assert result.code == 3
    assert "FG-IMG-14" in result.err and "build the folder again" in result.err


@pytest.mark.parametrize("runner", [pytest.param("qemu", marks=needs_chip), "host"])
def test_a_model_is_compiled_for_the_occasion(runner, shared_models, compiled, stacked, expected, tmp_path, tfser):
    result = tfser("run", shared_models / "kws_ref_model.tflite", "--target", "cortex-m7", "--input", stacked,
                   "--runner", runner, "--json")
    assert result.code == 0, result.err
    assert result.json()["outputs"] == expected.tolist()
    if runner == "qemu":
        assert result.json() == tfser("run", compiled, "--input", stacked, "--json").json()
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy"}


def test_models_that_cannot_be_run(shared_models, stacked, tmp_path, tfser):
    model = shared_models / "kws_ref_model.tflite"
    (tmp_path / "float.tflite").write_bytes(one_operator("RELU", "float32"))
    for path, arguments, code in ((model, [], "TF-SIM-09"), (model, ["--target", "m7"], "FG-TARGET-01"),
                                  (tmp_path / "absent.tflite", ["--target", "cortex-m7"], "TF-FILE-01"),
                                  (tmp_path / "float.tflite", ["--target", "cortex-m7"], "error FG-")):
        result = tfser("run", path, "--input", stacked, *arguments)
        assert result.code == 2
        assert code in result.err


def test_a_compiler_that_fails_is_exit_3(compiled, stacked, monkeypatch, tfser):
    monkeypatch.setenv("CC", "false")
    result = tfser("run", compiled, "--input", stacked, "--runner", "host")
    assert result.code == 3
    assert "FG-IMG-06: false failed" in result.err


@pytest.mark.parametrize(("runner", "code"), [("qemu", "FG-IMG-02"), ("host", "FG-IMG-03")])
def test_a_missing_tool_is_exit_3(runner, code, compiled, stacked, tmp_path, monkeypatch, tfser):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    result = tfser("run", compiled, "--input", stacked, "--runner", runner)
    if runner == "qemu" and not HAS_CHIP:
        code = "FG-IMG-01"
    assert result.code == 3
    assert code in result.err


@pytest.mark.parametrize("arguments", [["--profile", "--runner", "host"], ["--runner", "board"], ["--what"]])
def test_bad_usage(arguments, compiled, stacked, tfser):
    assert tfser("run", compiled, "--input", stacked, *arguments).code == 2


def test_without_tensorflow(compiled, stacked):
    code = ("import sys; from tfser.cli.main import main; status = main(sys.argv[1:]); "
            "assert not {'tensorflow', 'tf_keras', 'librosa'} & set(sys.modules); sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", code, "run", compiled, "--input", stacked, "--runner", "host"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
