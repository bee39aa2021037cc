"""Errors that a user can act on: what was received, what was expected, what to do."""

from __future__ import annotations


class TfserError(Exception):
    """One message with a stable code; the command line turns it into an exit code.

    Parameters
    ----------
    code : str
        Stable identifier, ``TF-<AREA>-<NN>``.
    received : str
        What was found, naming the file, layer or operator.
    expected : str, optional
        What would have been accepted.
    fix : str, optional
        What the user can do about it.
    """

    exit_code = 2

    def __init__(self, code: str, received: str, *, expected: str = "", fix: str = "") -> None:
        self.code = code
        self.received = received
        self.expected = expected
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.received}"]
        if self.expected:
            lines.append(f"  Expected {self.expected}")
        if self.fix:
            lines.append(f"  Fix: {self.fix}")
        return "\n".join(lines)


class InputError(TfserError):
    """Bad usage or bad input."""

    exit_code = 2


class CheckFailed(TfserError):
    """A check ran and failed: validation, budget or accuracy."""

    exit_code = 1


class ToolError(TfserError):
    """A tool that is needed is missing or failed."""

    exit_code = 3
