"""An image's bytes by section, tensor, function and file: against Arm's own tools, and adding up to the figures."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from build_folders import make_build, read_manifest, write_manifest

from firmware_gen.errors import InputError
from firmware_gen.image.elf import read_sections, read_symbols
from firmware_gen.report import present
from firmware_gen.report.breakdown import OPERATORS, SHARED_OUT, UNNAMED
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.size import Sizes, measure
from firmware_gen.target import target
from tfser.cli.main import main

pytestmark = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
FIGURE = {"weights": "flash_weights_bytes", "tables": "flash_tables_bytes", "functions": "flash_code_bytes",
          "sources": "flash_code_bytes"}


def compile_to(out: Path, model: Path) -> Path:
    assert main(["compile", str(model), "--target", "cortex-m4", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def built(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_to(tmp_path_factory.mktemp("built") / "kws", shared_models / "kws_ref_model.tflite")


@pytest.fixture(scope="module")
def other(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_to(tmp_path_factory.mktemp("built") / "speech", shared_models / "micro_speech_quantized.tflite")


@pytest.fixture(scope="module")
def sizes(built: Path) -> Sizes:
    return measure(read_build_folder(built))


def test_symbols_are_those_of_nm(built: Path) -> None:
    listed = subprocess.run(["arm-none-eabi-nm", "-S", "--defined-only", built / "firmware.elf"], capture_output=True,
                            text=True, check=True).stdout
    expected = {(fields[3], int(fields[0], 16), int(fields[1], 16))
                for fields in map(str.split, listed.splitlines()) if len(fields) == 4}
    symbols = read_symbols((built / "firmware.elf").read_bytes())
    found = {(symbol.name, symbol.address, symbol.size) for symbol in symbols}
    assert found <= expected
    assert {address for _, address, _ in found} == {address for _, address, _ in expected}
    assert len(found) > 50


def test_a_function_belongs_to_the_file_that_defines_it(built: Path) -> None:
    symbols = {symbol.name: symbol for symbol in read_symbols((built / "firmware.elf").read_bytes())}
    headers = "".join(path.read_text() for path in sorted((built / "firmware").glob("*.h")))
    own = [symbol for symbol in symbols.values() if symbol.source.startswith("tfser_") and symbol.section == ".text"]
    assert len({symbol.source for symbol in own}) > 3
    for symbol in own:
        # A function of a header is counted where it was compiled.
        text = (built / "firmware" / symbol.source).read_text()
        assert f"{symbol.name.split('.')[0]}(" in text + (headers if not symbol.name.endswith("_s8") else "")
    assert symbols["tfser_model_run"].source == "tfser_model.c"


def test_every_group_adds_up_to_its_figure(sizes: Sizes, built: Path) -> None:
    for group in SHARED_OUT:
        assert sum(size.amount for size in sizes.groups[group]) == sizes.figures[FIGURE[group]].value
        unnamed = [size.amount for size in sizes.groups[group] if size.name == UNNAMED]
        assert sum(unnamed) <= 0.1 * sizes.figures[FIGURE[group]].value
    sections = {section.name: section.size for section in read_sections((built / "firmware.elf").read_bytes())}
    both = (*sizes.groups["flash_sections"], *sizes.groups["ram_sections"])
    assert {size.name: size.amount for size in both} == {name: size for name, size in sections.items() if size}


def test_weights_have_the_names_of_the_models_tensors(sizes: Sizes, built: Path) -> None:
    model = read_build_folder(built).model
    named = {tensor.name.split(";")[0]: tensor.byte_size for tensor in model.subgraphs[0].tensors}
    weights = [size for size in sizes.groups["weights"] if size.name in named]
    assert len(weights) >= 5
    for size in weights:
        assert named[size.name] <= size.amount <= named[size.name] * 1.1 + 64
    assert sizes.largest_weights == sizes.groups["weights"][:5]


def test_a_baseline_gives_what_came_and_went(sizes: Sizes, other: Path) -> None:
    before = measure(read_build_folder(other))
    report = present.SizeReport(target("cortex-m4"), sizes, [], before)
    groups = present.to_dict(report)["groups"]
    for group, figure in FIGURE.items():
        now = {row["name"]: row["bytes"] for row in groups[group] if row["bytes"]}
        assert now == {size.name: size.amount for size in sizes.groups[group]}
        assert sum(row["change"] for row in groups[group]) == sizes.figures[figure].value - before.figures[figure].value
    assert any(row["bytes"] == 0 and row["change"] < 0 for row in groups["weights"])
    assert "weights by tensor" in present.to_text(report)
    assert "<summary>flash by section</summary>" in present.to_markdown(report)


def test_against_itself_nothing_changed(sizes: Sizes) -> None:
    report = present.SizeReport(target("cortex-m4"), sizes, [], sizes)
    assert {row["change"] for rows in present.to_dict(report)["groups"].values() for row in rows} == {0}
    assert "by tensor" not in present.to_text(report)


def test_operators_add_up_to_the_inference_and_are_named_for_what_they_make(sizes: Sizes, built: Path) -> None:
    model = read_build_folder(built).model
    named = {tensor.name.split(";")[0] for tensor in model.subgraphs[0].tensors}
    operators = sizes.groups[OPERATORS]
    assert len(operators) > 5
    assert {size.name for size in operators} <= named
    # Each part is rounded to what the board's timer resolves.
    total = sizes.figures["instructions_per_inference"].value
    assert sum(size.amount for size in operators) == pytest.approx(total, abs=64 * len(operators))


def test_tables_are_named_for_the_layer_that_has_them(sizes: Sizes, built: Path) -> None:
    graph = read_build_folder(built).model.subgraphs[0]
    (softmax,) = [operator for operator in graph.operators if operator.name == "SOFTMAX"]
    names = {size.name for size in sizes.groups["tables"]}
    assert f"exponentials of {graph.tensors[softmax.outputs[0]].name.split(';')[0]}" in names
    assert not [name for name in names if "operator" in name]


def changed_profile(built: Path, folder: Path, index: int, more: int) -> Path:
    """A copy of a build in which a step takes more instructions."""
    shutil.copytree(built, folder)
    manifest = read_manifest(folder)
    manifest["profile"][index]["instructions"] += more
    write_manifest(folder, manifest)
    return folder


def test_a_baseline_gives_the_instructions_that_changed(sizes: Sizes, built: Path, tmp_path: Path) -> None:
    once = measure(read_build_folder(changed_profile(built, tmp_path / "once", 2, 1_000)))
    twice = measure(read_build_folder(changed_profile(tmp_path / "once", tmp_path / "twice", 4, -123_456)))
    report = present.SizeReport(target("cortex-m4"), twice, [], sizes)
    (table,) = re.findall(r"^instructions by operator .*\n(.*)\n(.*)\n+$", present.to_text(report), re.MULTILINE)
    assert [line.split()[-1] for line in table] == ["-123,456", "+1,000"]
    assert "| instructions by operator | instructions | change |" in present.to_markdown(report)
    rows = present.to_dict(report)["groups"][OPERATORS]
    assert {row["change"] for row in rows} == {-123_456, 1_000, 0}
    assert all(set(row) == {"name", "instructions", "change"} for row in rows)
    assert "instructions by operator" not in present.to_text(present.SizeReport(target("cortex-m4"), once, [], once))


@pytest.mark.parametrize("profile", [3, [1], [{"step": "x"}], [{"step": 1, "instructions": 1}],
                                     [{"step": "x", "instructions": -1}], [{"step": "x", "instructions": True}]])
def test_a_profile_of_another_form_is_refused(built: Path, tmp_path: Path, profile: Any) -> None:
    folder = shutil.copytree(built, tmp_path / "build")
    write_manifest(folder, read_manifest(folder) | {"profile": profile})
    with pytest.raises(InputError, match="FG-BUILD-11"):
        read_build_folder(folder)


def test_a_step_that_names_no_operator_keeps_its_name(built: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(built, tmp_path / "build")
    steps = [{"step": name, "instructions": 5} for name in ("part 7", "operator 9999 ADD", "a\x1b[0m")]
    write_manifest(folder, read_manifest(folder) | {"profile": steps})
    assert {size.name for size in measure(read_build_folder(folder)).groups[OPERATORS]} == {
        "part 7", "operator 9999 ADD", "a\\x1b[0m"}


def test_a_baseline_without_an_image_has_no_changes_of_its_own(sizes: Sizes, tmp_path: Path,
                                                                  shared_models: Path) -> None:
    content = (shared_models / "kws_ref_model.tflite").read_bytes()
    before = measure(read_build_folder(make_build(tmp_path / "build", content)))
    assert before.groups == {}
    groups = present.to_dict(present.SizeReport(target("cortex-m4"), sizes, [], before))["groups"]
    assert all("change" not in row for rows in groups.values() for row in rows)


def test_an_image_that_the_manifest_does_not_list_is_not_read(built: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(built, tmp_path / "build")
    manifest = read_manifest(folder)
    del manifest["files"]["firmware.elf"]
    write_manifest(folder, manifest)
    (folder / "firmware.elf").write_bytes(b"of another build")
    assert list(measure(read_build_folder(folder)).groups) == [OPERATORS]


def test_a_cut_or_changed_image_is_refused_or_read_and_never_crashes(built: Path) -> None:
    image = (built / "firmware.elf").read_bytes()
    outcomes: Counter[bool] = Counter()
    table, = struct.unpack_from("<I", image, 32)
    for at in [*range(0, 52, 4), *range(table, len(image) - 3, 4)]:
        for value in (0, 0xFFFFFFFF):
            changed = bytearray(image)
            struct.pack_into("<I", changed, at, value)
            try:
                symbols = read_symbols(bytes(changed))
            except InputError as error:
                assert error.code == "FG-IMG-08"
                outcomes[False] += 1
            else:
                assert all(symbol.size > 0 for symbol in symbols)
                outcomes[True] += 1
    for length in range(0, len(image), len(image) // 50):
        with pytest.raises(InputError, match="FG-IMG-08"):
            read_symbols(image[:length])
    assert min(outcomes[True], outcomes[False]) > 5
