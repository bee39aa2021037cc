"""Outputs are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tfser.errors import InputError
from tfser.files import canonical_json, sha256, staged_folder, write_atomic


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def earlier_result(out: Path) -> dict[str, str]:
    (out / "firmware").mkdir(parents=True)
    (out / "manifest.json").write_text("{}")
    (out / "firmware" / "old.c").write_text("old")
    return content(out.parent)


def test_a_new_folder_appears_whole_with_its_parents(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    with staged_folder(out) as stage:
        (stage / "manifest.json").write_text("new")
        assert not out.exists()
    assert content(tmp_path) == {"a/b/out/manifest.json": "new"}


def test_an_earlier_result_is_replaced_and_not_merged(tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = earlier_result(out)
    with staged_folder(out) as stage:
        (stage / "manifest.json").write_text("new")
        assert content(out) == {name.removeprefix("out/"): text for name, text in before.items()}
    assert content(tmp_path) == {"out/manifest.json": "new"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with staged_folder(tmp_path / "out") as stage:
        (stage / "manifest.json").write_text("new")
    assert content(tmp_path) == {"out/manifest.json": "new"}


def test_the_folder_has_the_users_permissions(tmp_path: Path) -> None:
    """mkdtemp and mkstemp make what only the owner can read; what a user asked for is as mkdir makes it."""
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference.txt").touch()
    with staged_folder(tmp_path / "out") as stage:
        write_atomic(stage / "manifest.json", b"{}")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "reference").stat().st_mode
    assert (tmp_path / "out" / "manifest.json").stat().st_mode == (tmp_path / "reference.txt").stat().st_mode


def test_a_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds files that tfser did not write") as caught, \
            staged_folder(tmp_path / "out"):
        pytest.fail("the body must not run")
    assert caught.value.code == "TF-OUT-02"
    assert content(tmp_path) == {"out/thesis.tex": "years of work"}


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    if kind == "file":
        out.write_text("kept")
    else:
        out.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.mkdir()
    with pytest.raises(InputError, match="exists and is not a folder") as caught, staged_folder(out):
        pytest.fail("the body must not run")
    assert caught.value.code == "TF-OUT-01"
    assert out.is_symlink() or out.read_text() == "kept"


@pytest.mark.parametrize("error", [InputError("TF-TEST-01", "bad"), OSError("disk"), KeyboardInterrupt(), SystemExit()],
                         ids=lambda error: type(error).__name__)
def test_an_error_keeps_what_was_there(tmp_path: Path, error: BaseException) -> None:
    before = earlier_result(tmp_path / "out")
    with pytest.raises(type(error)), staged_folder(tmp_path / "out") as stage:
        (stage / "manifest.json").write_text("half")
        raise error
    assert content(tmp_path) == before


def test_an_error_leaves_no_new_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), staged_folder(tmp_path / "out") as stage:
        (stage / "manifest.json").write_text("half")
        raise OSError("disk")
    assert list(tmp_path.iterdir()) == []


def test_a_swap_that_fails_half_way_is_undone(tmp_path: Path) -> None:
    """The old folder has moved aside when the new one turns out to be gone."""
    before = earlier_result(tmp_path / "out")
    with pytest.raises(FileNotFoundError), staged_folder(tmp_path / "out") as stage:
        shutil.rmtree(stage)
    assert content(tmp_path) == before


@pytest.mark.parametrize("parent", ["a file", "a folder that nobody can write to"])
def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path, parent: str) -> None:
    place = tmp_path / "file"
    place.write_text("kept")
    out = place / "out" if parent == "a file" else Path("/proc/tfser-test/out")
    with pytest.raises(OSError, match=r"\[Errno"), staged_folder(out):
        pytest.fail("the body must not run")
    assert content(tmp_path) == {"file": "kept"}


IN_CHILD = """
import sys, time
from pathlib import Path
from tfser.files import staged_folder, write_atomic
with staged_folder(Path(sys.argv[1])) as stage:
    write_atomic(stage / "manifest.json", b"half")
    print("started", flush=True)
    {then}
"""


def child(out: Path, then: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", IN_CHILD.format(then=then), str(out)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def test_ctrl_c_keeps_what_was_there(tmp_path: Path) -> None:
    before = earlier_result(tmp_path / "out")
    with child(tmp_path / "out", "time.sleep(60)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert content(tmp_path) == before


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files stops the write in its middle, as a full disk does."""
    before = earlier_result(tmp_path / "out")

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    then = "write_atomic(stage / 'model.tflite', bytes(100_000))"
    with child(tmp_path / "out", then, preexec_fn=small_disk,
               env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}) as process:
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert "File too large" in stderr
    assert content(tmp_path) == before


def test_write_atomic_replaces_and_makes_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert content(tmp_path) == {"a/x.json": "two"}


def test_write_atomic_keeps_the_old_file_on_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "text is not bytes")  # type: ignore[arg-type]
    assert content(tmp_path) == {"x.json": "old"}


def test_canonical_json_is_the_same_for_equal_values() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1}) == '{\n  "a": "é",\n  "b": 1\n}\n'


def test_canonical_json_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"loss": float("nan")})


def test_sha256_is_that_of_fips_180(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
