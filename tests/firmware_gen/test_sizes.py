"""Figures of a build folder, and build folders that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from build_folders import make_build, read_manifest, write_manifest

from firmware_gen.errors import InputError
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.size import CODE_BYTES, ESTIMATE, MEASURED, STACK_BYTES, UNKNOWN, measure


@pytest.fixture
def build(tmp_path: Path, shared_models: Path) -> Path:
    return make_build(tmp_path / "build", (shared_models / "conformer_bn.tflite").read_bytes())


def test_figures_of_a_build_that_was_measured(tmp_path: Path, shared_models: Path) -> None:
    measured = {"flash_code_bytes": 12_000, "flash_tables_bytes": 4_000, "flash_weights_bytes": 101_000,
                "static_ram_bytes": 4, "stack_bytes": 600,
                "arena_bytes": 8_000, "instructions_per_inference": 5_000_000}
    folder = make_build(tmp_path / "build", (shared_models / "conformer_bn.tflite").read_bytes(), **measured)
    sizes = measure(read_build_folder(folder))
    assert {name: figure.value for name, figure in sizes.figures.items()} == {
        **measured, "model_bytes": 139_720, "flash_bytes": 117_000, "ram_bytes": 8_604}
    assert {figure.kind for figure in sizes.figures.values()} == {MEASURED}


def test_figures_without_a_toolchain_are_estimates(build: Path) -> None:
    sizes = measure(read_build_folder(build))
    figures = {name: (figure.value, figure.kind) for name, figure in sizes.figures.items()}
    assert figures == {
        "model_bytes": (139_720, MEASURED),
        "flash_weights_bytes": (100_941, ESTIMATE),
        "flash_code_bytes": (CODE_BYTES, ESTIMATE),
        "flash_tables_bytes": (None, UNKNOWN),
        "flash_bytes": (100_941 + CODE_BYTES, ESTIMATE),
        "arena_bytes": (52_208, MEASURED),
        "static_ram_bytes": (0, ESTIMATE),
        "stack_bytes": (STACK_BYTES, ESTIMATE),
        "ram_bytes": (52_208 + STACK_BYTES, ESTIMATE),
        "instructions_per_inference": (None, UNKNOWN),
    }
    assert sizes.figures["instructions_per_inference"].how == "nothing ran it"
    write_manifest(build, {**read_manifest(build), "constants": {"weights_bytes": 100_000, "tables_bytes": 5_000}})
    better = measure(read_build_folder(build)).figures
    assert (better["flash_weights_bytes"].value, better["flash_code_bytes"].value) == (100_000, CODE_BYTES)
    assert better["flash_bytes"].kind == ESTIMATE
    assert "no compiler" in sizes.figures["flash_code_bytes"].how
    assert all(figure.how for figure in sizes.figures.values())


def test_weights_match_an_independent_reader(build: Path) -> None:
    """The flatbuffers package with TensorFlow Lite Micro's generated schema, buffer by buffer."""
    schema = pytest.importorskip("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")
    content = (build / "model.tflite").read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    used = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    lengths = [len(model.buffers[index].data) for index in used if model.buffers[index].data is not None]
    sizes = measure(read_build_folder(build))
    assert sizes.figures["flash_weights_bytes"].value == sum(lengths)
    assert [size.amount for size in sizes.largest_weights] == sorted(lengths, reverse=True)[:5]


def test_the_largest_tensors_have_their_names(build: Path) -> None:
    sizes = measure(read_build_folder(build))
    assert str(sizes.largest_weights[0]) == "functional_1_1/dense_28_1/Tensordot/MatMul 16384"
    assert str(sizes.largest_activations[0]) == "functional_1_1/MatMul 10000"


def test_activations_are_those_of_the_fullest_step_of_the_plan(build: Path) -> None:
    buffers = [{"name": name, "bytes": size, "first_step": first, "last_step": last, "offset": 0, "kind": "value"}
               for name, size, first, last in (("x", 100, 0, 1), ("gone", 500, 0, 0), ("y\x1b", 300, 1, 2),
                                               ("z", 9, 1, 1))]
    write_manifest(build, {**read_manifest(build), "plan": {"peak_step": 1, "buffers": buffers, "steps": []}})
    assert [str(size) for size in measure(read_build_folder(build)).largest_activations] == [
        "y\\x1b 300", "x 100", "z 9"]


@pytest.mark.parametrize("plan", [{"buffers": 3}, {"buffers": [3]}, {"peak_step": 0, "buffers": {}}, 3, "plan"])
def test_a_plan_of_another_form_is_refused(build: Path, plan: Any) -> None:
    write_manifest(build, {**read_manifest(build), "plan": plan})
    with pytest.raises(InputError, match=r"FG-BUILD-(06|10)"):
        measure(read_build_folder(build))


@pytest.mark.parametrize("plan", [{}, {"peak_step": "1", "buffers": [{"bytes": 3}]}, {"buffers": [{"bytes": None}]}])
def test_a_plan_without_figures_names_the_models_own(build: Path, plan: Any) -> None:
    write_manifest(build, {**read_manifest(build), "plan": plan})
    assert str(measure(read_build_folder(build)).largest_activations[0]) == "functional_1_1/MatMul 10000"


def test_a_count_of_instructions_is_a_figure(tmp_path: Path, shared_models: Path) -> None:
    content = (shared_models / "kws_ref_model.tflite").read_bytes()
    folder = make_build(tmp_path / "build", content, instructions_per_inference=7_640_000)
    figure = measure(read_build_folder(folder)).figures["instructions_per_inference"]
    assert (figure.value, figure.kind) == (7_640_000, MEASURED)


@pytest.mark.parametrize("value", [-1, 1.5, True, "52208", [1]])
def test_a_figure_that_is_no_count_is_refused(tmp_path: Path, shared_models: Path, value: Any) -> None:
    content = (shared_models / "kws_ref_model.tflite").read_bytes()
    with pytest.raises(InputError, match="FG-SIZE-02"):
        measure(read_build_folder(make_build(tmp_path / "build", content, arena_bytes=value)))


def test_a_build_without_arena_is_refused(tmp_path: Path, shared_models: Path) -> None:
    content = (shared_models / "kws_ref_model.tflite").read_bytes()
    with pytest.raises(InputError, match="FG-SIZE-01"):
        measure(read_build_folder(make_build(tmp_path / "build", content, arena_bytes=None)))


def test_folders_that_are_no_builds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, said in (("none", "does not exist"), ("file", "is not a folder"), ("empty", "holds no manifest.json")):
        with pytest.raises(InputError, match=f"FG-BUILD-03.*{said}"):
            read_build_folder(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match="FG-BUILD-04"):
        read_build_folder(tmp_path)


@pytest.mark.parametrize("manifest", [[], 1, None, {}, {"schema_version": 2}, {"schema_version": "1"}])
def test_a_manifest_of_another_version_is_refused(tmp_path: Path, manifest: Any) -> None:
    write_manifest(tmp_path, manifest)
    with pytest.raises(InputError, match="FG-BUILD-05"):
        read_build_folder(tmp_path)


@pytest.mark.parametrize(("changes", "code"), [
    ({"files": {}}, "FG-BUILD-01"), ({"target": None}, "FG-BUILD-02"), ({"files": None}, "FG-BUILD-06"),
    ({"measured": 3}, "FG-BUILD-06"), ({"reasons": []}, "FG-BUILD-06"),
])
def test_a_manifest_of_another_form_is_refused(build: Path, changes: dict[str, Any], code: str) -> None:
    write_manifest(build, {**read_manifest(build), **changes})
    with pytest.raises(InputError, match=code):
        read_build_folder(build)


@pytest.mark.parametrize(("name", "code"), [("../model.tflite", "FG-BUILD-07"), ("/etc/hostname", "FG-BUILD-07"),
                                            ("gone.json", "FG-BUILD-08"), ("", "FG-BUILD-08")])
def test_a_file_outside_or_missing_is_refused(build: Path, name: str, code: str) -> None:
    manifest = read_manifest(build)
    manifest["files"][name] = "0" * 64
    write_manifest(build, manifest)
    with pytest.raises(InputError, match=code):
        read_build_folder(build)


def test_a_file_changed_after_the_build_is_refused(build: Path) -> None:
    content = bytearray((build / "model.tflite").read_bytes())
    content[-1] ^= 1
    (build / "model.tflite").write_bytes(content)
    with pytest.raises(InputError, match=r"FG-BUILD-09.*changed after the build"):
        read_build_folder(build)


def test_a_model_that_is_not_sound_is_refused(tmp_path: Path) -> None:
    folder = make_build(tmp_path / "build", b"not a model, but the hash is right")
    with pytest.raises(InputError, match="FG-TFL"):
        read_build_folder(folder)
