"""All exports: their table, whole or absent, the same bytes every time, nothing of this machine in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from exported import CORE, Exported, write_firmware

from firmware_gen.errors import InputError
from firmware_gen.export.exports import DEFAULT_EXPORTS, EXPORTS, export_names, write_exports
from firmware_gen.export.layout import (
    content_version,
    license_text,
    public_headers,
    source_names,
    template,
    write_folder,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


@pytest.mark.parametrize(("text", "names"), [
    ("cmake", ["cmake"]), ("zephyr, cmake", ["cmake", "zephyr"]), ("cmsis-pack", ["cmsis_pack"]), ("none", []),
    ("all", ["cmake", "zephyr", "arduino", "platformio", "cmsis_pack"]), ("cmake,cmake", ["cmake"]),
    (DEFAULT_EXPORTS, ["cmake"])])
def test_names_are_read_in_the_tables_order(text: str, names: list[str]) -> None:
    assert export_names(text) == names


@pytest.mark.parametrize("text", ["", "make", "cmake,", "all,cmake", "none,cmake", "CMake", "../cmake"])
def test_an_unknown_name_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="FG-EXPORT-08: unknown export") as caught:
        export_names(text)
    assert "cmake, zephyr, arduino, platformio, cmsis_pack" in str(caught.value)


def test_the_same_files_give_the_same_bytes_in_any_order_and_place(exported: Exported, tmp_path: Path) -> None:
    again = dict(sorted(exported.files.items(), reverse=True))
    assert contents(write_firmware(again, tmp_path / "elsewhere/firmware")) == contents(exported.folder)


def test_nothing_of_the_machine_and_no_placeholder_is_left(exported: Exported) -> None:
    for name, data in contents(exported.folder).items():
        for place in (str(exported.folder), "/tmp/", str(Path.home()), str(Path.cwd())):
            assert place.encode() not in data, name
        if not name.endswith((".c", ".h")):
            assert not re.search(rb"@[A-Z_]+@|20[2-9]\d-[01]\d", data), name
            assert data.endswith(b"\n"), name
            assert b"\r" not in data, name


def test_only_what_tools_copy_or_pack_holds_copies(exported: Exported) -> None:
    copies = {name.split("/")[0] for name in contents(exported.folder) if name.endswith(".c") and "/" in name}
    assert copies == {"arduino", "platformio", "cmsis_pack"}
    assert all((exported.folder / name / "README.md").is_file() for name in EXPORTS)


def test_what_holds_copies_holds_their_licence(exported: Exported) -> None:
    terms = (Path(__file__).parents[3] / "LICENSE").read_text()
    assert license_text() == terms
    for name in EXPORTS:
        copies = any((exported.folder / name).rglob("*.c"))
        assert (exported.folder / name / "LICENSE").exists() == copies
        assert not copies or (exported.folder / name / "LICENSE").read_text() == terms


def test_each_export_is_of_its_own(exported: Exported, tmp_path: Path) -> None:
    for name in EXPORTS:
        folder = write_firmware(exported.files, tmp_path / name / "firmware", [name])
        assert {path.name for path in folder.iterdir() if path.is_dir()} == {name}


@pytest.mark.parametrize("name", list(EXPORTS))
def test_what_is_there_is_kept(exported: Exported, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("years of work")
    with pytest.raises(InputError, match="FG-EXPORT-07"):
        write_exports(exported.files, tmp_path, CORE, [name])
    assert contents(tmp_path) == {f"{name}/mine.txt": b"years of work"}


@pytest.mark.parametrize("name", list(EXPORTS))
@pytest.mark.parametrize(("files", "code"), [
    ({}, "FG-EXPORT-06"), ({"tfser_model.h": ""}, "FG-EXPORT-06"), ({"tfser_model.c": ""}, "FG-EXPORT-06"),
    ({"tfser_model.h": "", "../x.c": ""}, "FG-EXPORT-05"), ({"tfser_model.h": "", "a b.c": ""}, "FG-EXPORT-05"),
    ({"tfser_model.h": "", "m.cc": ""}, "FG-EXPORT-05")])
def test_what_is_no_generated_c_is_refused(tmp_path: Path, name: str, files: dict[str, str], code: str) -> None:
    with pytest.raises(InputError, match=code):
        write_exports(files, tmp_path, CORE, [name])
    assert not any(tmp_path.iterdir())


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="null byte"):
        write_folder(tmp_path / "out", {"a.txt": "first", "b\0.txt": "not a name"})
    assert not any(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", {"a.txt": "first", "deep/b.txt": "second"})
    assert contents(tmp_path) == {"out/a.txt": b"first", "out/deep/b.txt": b"second"}
    (tmp_path / "reference").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "reference").stat().st_mode
    with pytest.raises(InputError, match="FG-EXPORT-07"):
        write_folder(tmp_path / "out", {"a.txt": "other"})


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="FG-EXPORT-07"):
        write_folder(tmp_path / "out", {"a.txt": "first"})
    assert not any((tmp_path / "elsewhere").iterdir())


def test_two_models_never_have_the_same_version(exported: Exported) -> None:
    changed = {**exported.files, "tfser_weights.c": exported.files["tfser_weights.c"] + "\n"}
    moved = {"a.c": "12", "b.c": "3"}, {"a.c": "1", "b.c": "23"}
    assert content_version(changed) != content_version(exported.files)
    assert content_version(moved[0]) != content_version(moved[1])
    assert re.fullmatch(r"1\.0\.0\+[0-9a-f]{8}", content_version(exported.files))


def test_public_headers_are_what_a_user_includes(exported: Exported) -> None:
    assert public_headers(exported.files) == ["tfser_model.h", "tfser_profile.h"]
    files = {"tfser.h": '#include "tfser_model.h"\n  #  include "deep.h"\n// "tfser_other.h"\n', "tfser_model.h": "",
             "deep.h": '#include "deep.h"\n#include <math.h>\n', "tfser_other.h": ""}
    assert public_headers(files) == ["deep.h", "tfser.h", "tfser_model.h"]
    assert source_names({"tfser_model.h": "", "b.c": "", "a.c": ""}) == ["a.c", "b.c"]


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="CORE"):
        template("zephyr", "README.md", CONFIG="", FLOAT="", HEADER="tfser_model.h")
