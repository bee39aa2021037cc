"""What the application header says of a model's training: a line or two, and no other byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from front_end import describe, small_classifier

from firmware_gen.compile import compile_application
from firmware_gen.emit.application import TrainedOn
from firmware_gen.target import CORES

FINGERPRINT = "5e1f" * 16
PRINT = """
#include <stdio.h>
#include "tfser.h"
int main(void) {
#ifdef TFSER_SPLIT_SPEAKERS_OVERLAP
    puts("overlap");
#endif
    puts(TFSER_SPLIT_FINGERPRINT);
    return 0;
}
"""


@pytest.fixture(scope="module")
def files():
    content = small_classifier()
    features = describe(content)
    return lambda *trained_on: compile_application(content, features, CORES["cortex-m4"], *trained_on).files


def test_the_header_is_silent_where_nobody_knows(files) -> None:
    assert "SPLIT" not in "".join(files().values())


def test_only_the_header_differs_and_always_alike(files) -> None:
    plain, told = files(), files(TrainedOn(FINGERPRINT))
    assert [name for name in plain if plain[name] != told[name]] == ["tfser.h"]
    added = set(told["tfser.h"].splitlines()) - set(plain["tfser.h"].splitlines())
    assert len(added) == 2 and f'#define TFSER_SPLIT_FINGERPRINT "{FINGERPRINT}"' in added
    assert files(TrainedOn(FINGERPRINT)) == told


@pytest.mark.parametrize("compiler", [("gcc", "-std=c11"), ("g++", "-std=c++17", "-x", "c++")])
@pytest.mark.parametrize(("trained_on", "said"), [
    (TrainedOn(FINGERPRINT), FINGERPRINT), (TrainedOn(FINGERPRINT, False), f"overlap\n{FINGERPRINT}"),
    (TrainedOn('"\n#error "\\'), '"\n#error "\\')])
def test_a_program_can_print_it(files, tmp_path: Path, compiler, trained_on: TrainedOn, said: str) -> None:
    (tmp_path / "tfser.h").write_text(files(trained_on)["tfser.h"])
    (tmp_path / "main.c").write_text(PRINT)
    flags = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
    subprocess.run([*compiler, *flags, tmp_path / "main.c", "-o", tmp_path / "print"], check=True)
    assert subprocess.run([tmp_path / "print"], capture_output=True, text=True, check=True).stdout == said + "\n"
