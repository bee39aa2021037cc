"""The command line's contract: exit codes, one message for an error, results alone on stdout."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import click
import pytest

from firmware_gen import errors as firmware_errors
from tfser import __version__
from tfser.cli.main import COMMANDS, main
from tfser.cli.output import print_json
from tfser.errors import CheckFailed, InputError, ToolError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Add a command ``act`` that does what the test says, found and run like every other."""

    def add(act: Callable[[], Any]) -> None:
        module = types.ModuleType("act_module")
        module.command = click.command("act")(act)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "act_module", module)
        monkeypatch.setitem(COMMANDS, "act", ("act_module", "Does what the test says."))

    monkeypatch.delenv("TFSER_DEBUG", raising=False)
    return add


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


FAILURES = [
    (InputError("TF-TEST-01", "bad"), 2, "error TF-TEST-01: bad"),
    (CheckFailed("TF-TEST-02", "over budget"), 1, "error TF-TEST-02: over budget"),
    (ToolError("TF-TEST-03", "no compiler"), 3, "error TF-TEST-03: no compiler"),
    (firmware_errors.InputError("FG-TEST-01", "truncated"), 2, "error FG-TEST-01: truncated"),
    (firmware_errors.CheckFailed("FG-TEST-02", "over budget"), 1, "error FG-TEST-02: over budget"),
    (firmware_errors.ToolError("FG-TEST-03", "no QEMU"), 3, "error FG-TEST-03: no QEMU"),
    (PermissionError(13, "Permission denied", "x.npz"), 2, "error TF-OS-01: [Errno 13] Permission denied: 'x.npz'"),
    (click.UsageError("no such option"), 2, "error TF-USE-01: no such option"),
    (click.FileError("x.wav", "unreadable"), 2, "error TF-USE-01: Could not open file 'x.wav': unreadable"),
    (ZeroDivisionError("of a bug"), 3, "error TF-BUG-01: ZeroDivisionError: of a bug"),
    (KeyboardInterrupt(), 130, "interrupted; nothing was changed"),
    (click.Abort(), 130, "interrupted; nothing was changed"),
]


@pytest.mark.parametrize(("error", "exit_code", "message"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_is_one_message_and_an_exit_code(command: Any, capsys: Any, error: BaseException, exit_code: int,
                                                   message: str) -> None:
    command(raising(error))
    assert main(["act"]) == exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().startswith(f"tfser: {message}")
    assert err.count("tfser: ") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(("error", "exit_code"), [failure[:2] for failure in FAILURES[:10]],
                         ids=lambda value: type(value).__name__)
def test_debug_adds_the_traceback_and_changes_no_exit_code(command: Any, capsys: Any, error: BaseException,
                                                           exit_code: int) -> None:
    command(raising(error))
    assert main(["act", "--debug"]) == exit_code
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_debug_can_be_set_in_the_environment(command: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFSER_DEBUG", "1")
    command(raising(InputError("TF-TEST-01", "bad")))
    assert main(["act"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_error_says_received_expected_and_fix(command: Any, capsys: Any) -> None:
    command(raising(InputError("TF-TEST-01", "8-bit audio", expected="16-bit", fix="convert it")))
    main(["act"])
    assert capsys.readouterr().err == ("tfser: error TF-TEST-01: 8-bit audio\n"
                                       "  Expected 16-bit\n"
                                       "  Fix: convert it\n")


@pytest.mark.parametrize(("result", "exit_code"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_may_return_its_exit_code(command: Any, capsys: Any, result: int | None, exit_code: int) -> None:
    command(lambda: result)
    assert main(["act"]) == exit_code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["act", "--nonsense"], ["act", "extra"]],
                         ids=" ".join)
def test_bad_usage_says_where_help_is(command: Any, capsys: Any, arguments: list[str]) -> None:
    command(lambda: None)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tfser: error TF-USE-01: ")
    assert "--help'" in err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]], ids=" ".join)
def test_help_lists_every_command(capsys: Any, arguments: list[str]) -> None:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(f"\n  {name} " in out for name in COMMANDS)


def test_version(capsys: Any) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tfser, version {__version__}\n"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_exists_and_explains_itself(capsys: Any, name: str) -> None:
    assert isinstance(importlib.import_module(COMMANDS[name][0]).command, click.Command)
    assert main([name, "--help"]) == 0
    assert f"Usage: tfser {name}" in capsys.readouterr().out


def test_json_is_one_object_with_a_schema_version(command: Any, capsys: Any) -> None:
    command(lambda: print_json({"flash_bytes": 1}))
    assert main(["act"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema_version": 1, "flash_bytes": 1}


def test_json_refuses_nan_before_it_prints(command: Any, capsys: Any) -> None:
    command(lambda: print_json({"wf1": float("nan")}))
    assert main(["act"]) == 3
    assert capsys.readouterr().out == ""


def test_ctrl_c_ends_a_command_with_130() -> None:
    code = ("import sys, time, types, click\n"
            "from tfser.cli.main import COMMANDS, run\n"
            "module = types.ModuleType('act_module')\n"
            "module.command = click.command()(lambda: (click.echo('started'), time.sleep(60)))\n"
            "sys.modules['act_module'] = module\n"
            "COMMANDS['act'] = ('act_module', '')\n"
            "run()")
    with subprocess.Popen([sys.executable, "-c", code, "act"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert stderr.strip() == "tfser: interrupted; nothing was changed"
