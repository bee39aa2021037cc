"""Reads the .tflite file that a command was given, with the file's name in every error."""

from __future__ import annotations

from pathlib import Path

from firmware_gen.errors import FirmwareError
from firmware_gen.frontend.tflite import Model, read_tflite
from tfser.errors import InputError


def read_model(path: Path) -> tuple[Model, bytes]:
    """The verified model of a .tflite file, and its bytes.

    Raises
    ------
    InputError
        There is no such file.
    FirmwareError
        The file is not a sound .tflite file.
    """
    if not path.is_file():
        raise InputError("TF-FILE-01", f"model {str(path)!r} does not exist or is not a file",
                         expected="a .tflite file", fix="check the path")
    content = path.read_bytes()
    try:
        return read_tflite(content), content
    except FirmwareError as error:
        raise type(error)(error.code, f"model {str(path)!r}: {error.received}", expected=error.expected,
                          fix=error.fix) from error
