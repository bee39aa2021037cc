"""Budgets: strict reading, precedence, and verdicts at, under and over the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_gen.errors import InputError
from firmware_gen.report.breakdown import OPERATORS, NamedSize
from firmware_gen.report.budget import FIGURES, Limit, check, default_budget, read_budget
from firmware_gen.report.size import ESTIMATE, MEASURED, UNKNOWN, Figure, Sizes
from firmware_gen.target import target

KIB = 1024
LIMIT = '"1 KiB"'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "budget.toml"
    path.write_text(text, encoding="utf-8")
    return path


def limits(tmp_path: Path, text: str, name: str) -> dict[str, int]:
    return {key: limit.value for key, limit in read_budget(write(tmp_path, text), target(name)).items()}


def sizes(flash: int = 100, ram: int = 50, instructions: int | None = None) -> Sizes:
    figures = (Figure("flash_bytes", flash, "B", ESTIMATE, ""), Figure("ram_bytes", ram, "B", MEASURED, ""),
               Figure("instructions_per_inference", instructions, "instructions",
                      UNKNOWN if instructions is None else MEASURED, "no simulator"))
    return Sizes({figure.name: figure for figure in figures},
                 (NamedSize("ffn1/w", 65536), NamedSize("ffn2/w", 1024)), (NamedSize("scores", 10000),),
                 {OPERATORS: (NamedSize("ffn1", 4), NamedSize("ffn2", 2))})


def test_the_default_is_what_the_board_has() -> None:
    budget = default_budget(target("cortex-m4"))
    assert {key: limit.value for key, limit in budget.items()} == {"flash": 512 * KIB, "ram": 128 * KIB}
    assert budget["ram"].origin == "what nucleo-f446re has"


@pytest.mark.parametrize(("written", "expected"), [
    ("1", 1), ("65536", 65536), ('"1 B"', 1), ('"512 KiB"', 512 * KIB), ('"2MiB"', 2048 * KIB), ("0x10", 16),
])
def test_sizes(tmp_path: Path, written: str, expected: int) -> None:
    assert limits(tmp_path, f"[targets.cortex-m7]\nflash = {written}", "cortex-m7")["flash"] == expected


def test_what_the_file_leaves_out_stays_at_the_boards_limit(tmp_path: Path) -> None:
    text = '[targets.cortex-m4]\nram = "64 KiB"\ninstructions = 30_000_000'
    assert limits(tmp_path, text, "cortex-m4") == {"flash": 512 * KIB, "ram": 64 * KIB, "instructions": 30_000_000}


def test_a_board_overrides_its_core(tmp_path: Path) -> None:
    text = '[targets.cortex-m4]\nram = 1\nflash = 2\n[boards.nrf52840-dk]\nram = 3\n[boards.nucleo-f446re]\nram = 4'
    assert limits(tmp_path, text, "nrf52840-dk") == {"flash": 2, "ram": 3}
    assert limits(tmp_path, text, "cortex-m4") == {"flash": 2, "ram": 1}


def test_a_limit_knows_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "# flash = 1\n[targets.cortex-m7]\nflash = 1\n\n[boards.'teensy-4.1']\n# ram\nram = 2\n"
                           "[targets.cortex-m4]\nram=3")
    budget = read_budget(path, target("teensy-4.1"))
    assert [(limit.file, limit.line) for limit in budget.values()] == [(path, 3), (path, 7)]
    assert budget["ram"].origin == "budget.toml:7"
    assert read_budget(path, target("cortex-m4"))["ram"].line == 9


@pytest.mark.parametrize(("text", "line"), [
    ("[targets]\n\ncortex-m7.flash = 1", 3), ("[targets]\ncortex-m7 = { ram = 2, flash = 1 }", 2),
    ("# flash\ntargets.cortex-m7.flash = 1", 2), ("[ targets . \"cortex-m7\" ]\r\n'flash' = 1", 2),
    ("[targets.cortex-m4]\nflash = 1\n[targets.cortex-m7]\nram = 1\nflash = 1\n[targets.cortex-m3]\nflash = 3", 5),
    ("[targets.cortex-m7]\n# flash = 9\nflash = 1 # flash", 3),
])
def test_a_line_is_found_however_the_key_is_written(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "budget.toml").write_bytes(text.encode())
    assert read_budget(tmp_path / "budget.toml", target("cortex-m7"))["flash"].line == line


@pytest.mark.parametrize(("text", "code", "named"), [
    ("[targets.cortex-m7\nflash = 1", "FG-BUDGET-01", "line 1"),
    ("[targets.cortex-m7]\nflash = 512 KiB", "FG-BUDGET-01", "line 2"),
    ("[targets.cortex-m7]\nflash = 1\nflash = 2\nram = 1", "FG-BUDGET-01", "line 3"),
    ("", "FG-BUDGET-02", "cortex-m7"),
    ("[targets.cortex-m4]\nflash = 1", "FG-BUDGET-02", "cortex-m7"),
    ("\nflash = 1", "FG-BUDGET-04", "flash"),
    ("[cores.cortex-m7]\nflash = 1", "FG-BUDGET-04", "cores"),
    ("[targets]\ncortex-m7 = 1", "FG-BUDGET-05", "targets.cortex-m7"),
    ("\n\n[targets.cortex-m0]\nflash = 1", "FG-BUDGET-05", "line 3: targets.cortex-m0"),
    ("[boards.cortex-m7]\nflash = 1", "FG-BUDGET-05", "boards.cortex-m7"),
    ("[targets.cortex-m7]\nram = 1\nflsh = 1", "FG-BUDGET-06", "line 3: targets.cortex-m7.flsh"),
    ("[targets.cortex-m7]\nflash = -1", "FG-BUDGET-07", "line 2: targets.cortex-m7.flash is -1"),
    ("[targets.cortex-m7]\nflash = 0", "FG-BUDGET-07", "is 0"),
    ("[targets.cortex-m7]\nflash = true", "FG-BUDGET-07", "is True"),
    ("[targets.cortex-m7]\nflash = 1.5", "FG-BUDGET-07", "is 1.5"),
    ("[targets.cortex-m7]\nflash = nan", "FG-BUDGET-07", "is nan"),
    ('[targets.cortex-m7]\nflash = "512 KB"', "FG-BUDGET-07", "KiB"),
    ('[targets.cortex-m7]\nflash = "-1 KiB"', "FG-BUDGET-07", "'-1 KiB'"),
    ('[targets.cortex-m7]\nflash = "0 KiB"', "FG-BUDGET-07", "'0 KiB'"),
    ('[targets.cortex-m7]\nflash = ""', "FG-BUDGET-07", "''"),
    ("[targets.cortex-m7]\nflash = []", "FG-BUDGET-07", "is []"),
    ('[targets.cortex-m7]\ninstructions = "1 KiB"', "FG-BUDGET-07", "a positive integer"),
])
def test_a_wrong_file_is_refused_by_place(tmp_path: Path, text: str, code: str, named: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=code) as caught:
        read_budget(path, target("cortex-m7"))
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match="FG-BUDGET-03"):
            read_budget(path, target("cortex-m7"))
    (tmp_path / "latin1.toml").write_bytes(b"# \xe9")
    with pytest.raises(InputError, match="FG-BUDGET-03"):
        read_budget(tmp_path / "latin1.toml", target("cortex-m7"))


@pytest.mark.parametrize(("used", "ok"), [(262143, True), (262144, True), (262145, False)])
def test_the_limit_itself_is_kept(tmp_path: Path, used: int, ok: bool) -> None:
    budget = read_budget(write(tmp_path, '[targets.cortex-m4]\nflash = "256 KiB"'), target("cortex-m4"))
    flash, ram = check(sizes(flash=used), budget, target("cortex-m4"))
    assert (flash.ok, ram.ok) == (ok, True)
    assert ram.text == "ram 50 B <= 131072 B (cortex-m4)"


def test_a_failure_names_the_culprits() -> None:
    budget = default_budget(target("nucleo-f103rb"))
    flash, ram = check(sizes(flash=262410, ram=70000), budget, target("nucleo-f103rb"))
    assert flash.text == ("flash 262410 B > 131072 B (nucleo-f103rb), 131338 B over; largest: ffn1/w 65536 B, "
                          "ffn2/w 1024 B; flash is an estimate")
    assert ram.text == "ram 70000 B > 20480 B (nucleo-f103rb), 49520 B over; largest: scores 10000 B"


def test_a_limit_on_what_nobody_measured_is_not_kept(tmp_path: Path) -> None:
    budget = read_budget(write(tmp_path, "[targets.cortex-m7]\ninstructions = 5"), target("cortex-m7"))
    verdict = check(sizes(), budget, target("cortex-m7"))[-1]
    assert not verdict.ok
    assert verdict.text == "instructions not measured (no simulator), limit 5 (cortex-m7)"
    assert [check(sizes(instructions=count), budget, target("cortex-m7"))[-1].ok for count in (5, 6)] == [True, False]


def test_every_figure_can_have_a_limit(tmp_path: Path) -> None:
    """Bytes may be written as "1 KiB", instructions not; a figure that a build has not is not kept."""
    parts = (Figure(name, 1025, "B" if name.endswith("_bytes") else "instructions", MEASURED, "")
             for name in FIGURES.values())
    measured = Sizes({figure.name: figure for figure in parts}, (), (NamedSize("scores", 10000),))
    lines = [f"{key} = {LIMIT if name.endswith('_bytes') else 1025}"
             for key, name in FIGURES.items()]
    budget = read_budget(write(tmp_path, "\n".join(["[targets.cortex-m4]", *lines])), target("cortex-m4"))
    verdicts = {verdict.resource: verdict for verdict in check(measured, budget, target("cortex-m4"))}
    assert list(verdicts) == ["flash", "ram", "instructions", "arena", "application", "stack", "frontend_instructions",
                              "decision_instructions"]
    assert verdicts["arena"].text == "arena 1025 B > 1024 B (cortex-m4), 1 B over; largest: scores 10000 B"
    assert verdicts["stack"].text == "stack 1025 B > 1024 B (cortex-m4), 1 B over"
    assert verdicts["frontend_instructions"].text == "frontend_instructions 1025 <= 1025 (cortex-m4)"
    assert [name for name, verdict in verdicts.items() if verdict.ok] == [
        "instructions", "frontend_instructions", "decision_instructions"]
    verdicts = {verdict.resource: verdict for verdict in check(sizes(), budget, target("cortex-m4"))}
    assert not verdicts["application"].ok
    assert verdicts["application"].text == (
        "application not measured (the build has no such figure), limit 1024 B (cortex-m4)")


def test_too_many_instructions_name_the_operators() -> None:
    limit = {"instructions": Limit(5, "budget.toml:2")}
    (verdict,) = check(sizes(instructions=6), limit, target("cortex-m4"))
    assert verdict.text == "instructions 6 > 5 (cortex-m4), 1 over; largest: ffn1 4, ffn2 2"
