"""Outputs that are whole or absent: staged folders, atomic files, content hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfser.errors import InputError

# Ends the name of a file that is not whole yet. A killed process may leave one behind.
_PART = ".part"


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no NaN, one trailing newline."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises
    ------
    OSError
        It cannot be written: the old content stays, and the error names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def unfinished_files(folder: Path) -> list[Path]:
    """What :func:`write_atomic` left in ``folder`` when its process was killed."""
    return sorted(folder.glob(f".*{_PART}"))


@contextlib.contextmanager
def staged_folder(out: Path, *, marker: str = "manifest.json") -> Iterator[Path]:
    """Yield a temporary folder that becomes ``out`` only when the body ends without error.

    An existing ``out`` is replaced when it is empty or holds ``marker`` (an earlier result of
    this tool); anything else is left alone.

    Raises
    ------
    InputError
        ``out`` is a file, or a folder with files that this tool did not write.
    """
    _refuse_foreign(out, marker)
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        os.chmod(stage, 0o777 & ~_umask())
        yield stage
        _swap(stage, out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _refuse_foreign(out: Path, marker: str) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError("TF-OUT-01", f"output {str(out)!r} exists and is not a folder",
                         expected="a folder, or a path that does not exist", fix="choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / marker).is_file():
        raise InputError("TF-OUT-02", f"output folder {str(out)!r} holds files that tfser did not write",
                         expected=f"an empty folder or an earlier result (with {marker})",
                         fix="choose another --out, or empty the folder yourself")


def _swap(stage: Path, out: Path) -> None:
    previous = stage.with_name(f"{stage.name}.old")
    try:
        if out.exists():
            out.rename(previous)
        stage.rename(out)
    except BaseException:
        if previous.exists() and not out.exists():
            previous.rename(out)
        raise
    finally:
        if out.exists():  # else it holds the only copy
            shutil.rmtree(previous, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
