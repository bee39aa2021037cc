"""``tfser targets``: every core and board, without TensorFlow."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from firmware_gen.target import BOARDS, CORES
from tfser.cli.main import main


def test_the_table_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line} == {"core", "board", *CORES, *BOARDS}
    (board,) = [line for line in lines if line.startswith("nucleo-f446re ")]
    assert re.match(r"nucleo-f446re +STM32F446RET6 +cortex-m4 +512 KiB +128 KiB +180 MHz", board)
    (core,) = [line for line in lines if line.startswith("cortex-m55 ")]
    assert re.search(r"yes +yes +yes +mps3-an547", core)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["schema_version"] == 1
    assert [core["name"] for core in result["cores"]] == list(CORES)
    flash = {board["name"]: board["flash_bytes"] for board in result["boards"]}
    assert flash == {name: board.flash_bytes for name, board in BOARDS.items()}


def test_without_tensorflow() -> None:
    code = ("import sys; from tfser.cli.main import main; status = main(['targets']); "
            "assert not {'tensorflow', 'tf_keras'} & set(sys.modules); sys.exit(status)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
