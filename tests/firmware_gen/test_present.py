"""Size reports: annotations survive GitHub's parser, JUnit and Markdown theirs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_gen.errors import CheckFailed
from firmware_gen.report import present
from firmware_gen.report.breakdown import NamedSize
from firmware_gen.report.budget import Limit, Verdict
from firmware_gen.report.size import ESTIMATE, MEASURED, UNKNOWN, Figure, Sizes
from firmware_gen.report.text import format_table
from firmware_gen.target import target


def sizes(flash: int) -> Sizes:
    figures = (Figure("flash_bytes", flash, "B", ESTIMATE, "model | code"),
               Figure("arena_bytes", 5, "B", MEASURED, "bisected"),
               Figure("instructions_per_inference", None, "instructions", UNKNOWN, "no simulator"))
    return Sizes({figure.name: figure for figure in figures}, (NamedSize("ffn1/w", 65536),), ())


def report(text: str = "flash 3 B > 2 B", *, file: Path | None = None,
           baseline: Sizes | None = None) -> present.SizeReport:
    limit = Limit(2, "budget.toml:7", file, None if file is None else 7)
    verdicts = [Verdict("flash", 3000, limit, "B", ESTIMATE, text, ok=False),
                Verdict("ram", 1, limit, "B", MEASURED, "ram 1 B <= 2 B", ok=True)]
    return present.SizeReport(target("cortex-m7"), sizes(3000), verdicts, baseline)


def parse_annotation(line: str) -> tuple[dict[str, str], str]:
    """What GitHub's runner makes of a workflow command, by its documentation."""
    match = re.fullmatch(r"::error ([^:]*)::(.*)", line)
    assert match is not None, line
    properties = {}
    for item in match[1].split(","):
        key, value = item.split("=", 1)
        for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            value = value.replace(code, char)
        properties[key] = value
    message = match[2]
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        message = message.replace(code, char)
    return properties, message


def test_an_annotation_points_at_the_line_of_the_budget() -> None:
    (line,) = present.to_annotations(report(file=Path("ci/budget.toml")))
    assert line == "::error file=ci/budget.toml,line=7,title=flash over budget::flash 3 B > 2 B"


def test_an_annotation_without_a_budget_file_has_no_place() -> None:
    assert present.to_annotations(report()) == ["::error title=flash over budget::flash 3 B > 2 B"]


def test_annotations_escape_what_ends_them() -> None:
    (line,) = present.to_annotations(report("100 % of a::b\r\nnext", file=Path("a,b:c%.toml")))
    assert line == ("::error file=a%2Cb%3Ac%25.toml,line=7,title=flash over budget::100 %25 of a::b%0D%0Anext")


@given(st.text(), st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_annotations_round_trip(text: str, name: str) -> None:
    (line,) = present.to_annotations(report(text, file=Path(name)))
    assert "\n" not in line
    assert "\r" not in line
    properties, message = parse_annotation(line)
    assert message == text
    assert properties == {"file": str(Path(name)), "line": "7", "title": "flash over budget"}


@given(st.text())
def test_junit_parses_back(text: str) -> None:
    suites = ElementTree.fromstring(present.to_junit(report(text)))
    (suite,) = suites
    assert (suite.tag, suite.attrib["tests"], suite.attrib["failures"]) == ("testsuite", "2", "1")
    failed, passed = suite
    assert (failed.attrib["name"], passed.attrib["name"]) == ("flash", "ram")
    assert failed.attrib["classname"] == "tfser.size.cortex-m7"
    assert failed.find("failure") is not None
    assert passed.find("failure") is None


def test_junit_keeps_the_message() -> None:
    text = "flash <3> & \"x\" > 'y' B"
    failure = ElementTree.fromstring(present.to_junit(report(text))).find(".//failure")
    assert failure is not None
    assert (failure.text, failure.attrib["message"], failure.attrib["type"]) == (text, text, "budget")


def test_text_marks_estimates_and_failures() -> None:
    text = present.to_text(report())
    assert re.search(r"^flash_bytes +3,000 B +ESTIMATE +model \| code$", text, re.MULTILINE)
    assert re.search(r"^instructions_per_inference +- +not measured +no simulator$", text, re.MULTILINE)
    assert "FAIL  flash 3 B > 2 B [budget.toml:7]" in text
    assert re.search(r"^  ffn1/w +65,536 B$", text, re.MULTILINE)
    assert "change" not in text


def test_a_baseline_adds_differences() -> None:
    text = present.to_text(report(baseline=sizes(4234)))
    assert re.search(r"^flash_bytes +3,000 B +-1,234 ", text, re.MULTILINE)
    assert re.search(r"^arena_bytes +5 B +0 ", text, re.MULTILINE)
    figures = present.to_dict(report(baseline=sizes(1000)))["figures"]
    assert [figure["change"] for figure in figures.values()] == [2000, 0, None]


def test_json_is_plain() -> None:
    result = present.to_dict(report())
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["ok"] is False
    assert result["figures"]["flash_bytes"] == {"value": 3000, "unit": "B", "kind": "estimate", "how": "model | code"}
    assert result["largest_weights"] == [{"name": "ffn1/w", "bytes": 65536}]
    assert result["budget"][0]["origin"] == "budget.toml:7"


def test_markdown_cells_hold_bars() -> None:
    lines = present.to_markdown(report("a|b")).splitlines()
    assert lines[0] == "### Size on cortex-m7"
    assert r"| flash_bytes | 3,000 B | ESTIMATE | model \| code |" in lines
    assert r"| ❌ | a\|b |" in lines
    assert "| ✅ | ram 1 B <= 2 B |" in lines


def test_over_budget_is_one_error_that_names_every_limit() -> None:
    with pytest.raises(CheckFailed, match="FG-BUDGET-10: flash 3 B > 2 B") as caught:
        report().raise_if_over()
    assert caught.value.exit_code == 1
    passing = report()
    present.SizeReport(passing.target, passing.sizes, passing.verdicts[1:]).raise_if_over()


def test_tables_align() -> None:
    assert format_table(("a", "bb"), [("ccc", "1"), ("d", "22")], right=(1,)) == "a    bb\nccc   1\nd    22"
