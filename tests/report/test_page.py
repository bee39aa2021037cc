"""The report page: whole, escaped, the same for the same build, and honest about what is missing."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys

import pytest
from documents import BARE, CERTIFICATE, DEPLOYED, MANIFEST, PICTURE
from outlines import Outline, bars, outline

from tfser.errors import InputError
from tfser.files import canonical_json
from tfser.report.page import render

SECTIONS = ["Budget", "Real time", "Accuracy", "Model card", "Validation", "Quantisation", "Merge", "Memory",
            "Graph", "Layers", "Image", "Operators", "Largest tensors", "How it was built"]


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


def test_every_section_is_there_and_every_tag_is_closed(manifest):
    page = outline(manifest)
    assert page.open == []
    assert page.headings == SECTIONS
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "Not recorded" not in page.text


@pytest.mark.parametrize("shown", [
    "conformer small for cortex-m7", "board nucleo-f767zi (cortex-m7)", "100 × 40 log-mel, 16,000 Hz audio",
    "✓ Passed 2 checks, 2 budget limits kept", "2,000 B flash estimate: weights, code and tables",
    "4,000 instructions per inference, not cycles", "65,767 parameters 156,327 before the merge",
    "3.9% of real time of nucleo-f767zi, a decision every 0.5 s, one instruction per cycle",
    "300 of 1,200 B 25.0% of what the board has", "stack_bytes 840 B estimate of another model",
    "decision_instructions – not measured nothing ran it", "1.4e-06, at most 1e-05", "70 of 70",
    "362,240 B of float32", "no float", "warning TF-DOC-17 an odd shape nothing to do", "32 operators of 3 kinds",
    "CONV_2D 26 ADD 3 MUL 3",
    "frontend/w 9,600", "frontend/relu 16,000", "ratio 2, depth 2, at ffn1, ffn2", "scale 0.0377561, zero point -93",
    "65 epochs, batch 32, learning rate 0.002, seed 0", "validation speakers 09, 10", "tfser 0.1.0",
    "ab" * 32, "cd" * 32,
])
def test_a_figure_of_the_build_is_shown(manifest, shown):
    assert shown in outline(manifest).text


def test_the_page_does_not_show_its_own_hash(manifest):
    assert render(manifest, CERTIFICATE) == render({**manifest, "files": {"model.tflite": "ab" * 32}}, CERTIFICATE)


def test_bars_are_as_long_as_their_share(manifest):
    drawn = bars(render(manifest, CERTIFICATE))
    assert drawn[:2] == [("hatched", "25.0%"), ("fill", "50.0%")]
    assert drawn[2:4] == [("soft-fill", "100.0%"), ("fill", "75.0%")]  # stack: bound, high-water mark
    assert drawn[4:7] == [("fill", "3.9%"), ("over", "100.0%"), ("fill", "90.0%")]  # boards
    drawn = drawn[1:]
    assert drawn[6:9] == [("fill", "75.0%"), ("fill", "0.0%"), ("fill", "62.5%")]  # recalls, then the speaker
    assert drawn[9:11] == [("fill", "100.0%"), ("fill", "0.0%")]  # what each layer alone does to the logits
    drawn = drawn[2:]
    assert drawn[9:11] == [("soft-fill", "100.0%"), ("fill", "42.1%")]  # parameters
    assert drawn[11:14] == [("fill", "100.0%"), ("fill", "20.0%"), ("fill", "13.3%")]  # layers
    assert drawn[14:16] == [("fill", "100.0%"), ("fill", "33.3%")]  # sections of the image


def test_only_estimates_are_marked_as_estimates(manifest):
    page = render(manifest, CERTIFICATE)
    assert page.count('class="pill estimate">estimate<') == page.count("estimate<") == 3  # flash twice, stack
    assert page.count('class="hatched"') == 1
    for figure in (manifest["size"]["budget"][0], *manifest["size"]["figures"].values()):
        figure["kind"] = "measured"
    page = render(manifest, CERTIFICATE)
    assert 'class="hatched"' not in page
    assert "estimate<" not in page


def test_a_bar_over_its_limit_shows_the_limit(manifest):
    manifest["size"]["budget"][1].update(used=1000, ok=False, text="ram 1000 B > 500 B; largest: frontend/relu")
    page = render(manifest, CERTIFICATE)
    assert '<rect class="over" width="100%"' in page
    assert '<rect class="limit" x="50.0%"' in page
    assert "✗ Failed ram 1000 B > 500 B; largest: frontend/relu" in Outline(page).text
    assert "✓ Passed" not in page


@pytest.mark.parametrize(("passed", "mark"), [(False, "✗ fail"), (None, "– not run")])
def test_the_verdict_names_the_check_that_failed(manifest, passed, mark):
    manifest["validation"]["checks"][0]["passed"] = passed
    text = outline(manifest).text
    assert "✗ Failed int8: no float" in text
    assert f"int8 {mark} no float" in text


def test_a_budget_alone_is_no_validation(manifest):
    manifest["validation"] = None
    text = outline(manifest).text
    assert "– Not validated 2 budget limits kept" in text
    assert "Passed" not in text


def test_a_limit_that_was_not_measured(manifest):
    manifest["size"]["budget"][1].update(used=None, ok=False, text="ram is not measured")
    assert "measured – of 500 B budget.toml" in outline(manifest).text  # and not "over the limit"
    manifest["size"]["budget"][1].update(used=0, limit=0, ok=True)
    assert "0 of 0 B budget.toml" in outline(manifest).text


def test_chains_of_one_shape_and_refusals_of_one_reason_share_a_row(manifest):
    text = outline(manifest).text
    assert "40×160 · 160×80 → 40×80 2 block1/a block2/a" in text
    assert "activation 'relu' between them 2 block1/a → block1/b block2/a → block2/b" in text
    assert outline(manifest, {**CERTIFICATE, "merged": [], "refused": []}).headings == SECTIONS


def test_nothing_in_a_build_becomes_markup():
    """Every text of both documents, keys of free choice included, tries to break out."""
    attack = "\"'><img src=x onerror=y><!-- &amp; \ud800"
    free = {"classes", "speakers", "operators", "tool_versions", "files", "figures", "measured", "clips_by_label",
            "clips_by_speaker"}

    def poisoned(value, key=""):
        if isinstance(value, dict):
            return {name + attack if key in free else name: poisoned(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item) for item in value]
        return value + attack if isinstance(value, str) and key != "kind" else value

    whole = {**MANIFEST, "deployed": DEPLOYED}
    clean, page = outline(whole), outline(poisoned(whole), poisoned(CERTIFICATE))
    known = {(tag, *attributes) for tag, attributes in clean.tags}
    assert {(tag, *attributes) for tag, attributes in page.tags} <= known
    assert page.comments == 0
    assert page.text.count("\"'><img src=x onerror=y><!-- &amp; ?") > 100


@pytest.mark.parametrize("certificate", [None, CERTIFICATE])
@pytest.mark.parametrize("section", [key for key in MANIFEST if key not in BARE])
@pytest.mark.parametrize("absent", [True, False])
def test_any_section_may_be_missing(manifest, section, absent, certificate):
    manifest[section] = None
    if absent:
        del manifest[section]
    page = outline(manifest, certificate)
    assert page.headings == SECTIONS
    assert page.open == []
    assert ("no certificate.json" in page.text) == (certificate is None)


def test_the_picture_of_the_plan_is_set_into_the_page(manifest):
    page = render(manifest, CERTIFICATE, PICTURE)
    assert '<text x="1" y="2">a 4</text>' in page
    assert "<title>a: 4 &lt; 5</title>" in page
    assert ".tfser-memory text { fill: #17202b; }" in page
    assert "48,800 B of arena for input, output and everything between" in Outline(page).text
    assert "no memory.svg" in outline(manifest, CERTIFICATE, None).text


@pytest.mark.parametrize(("width", "shrunk"), [("1210", True), ("1211", False), ("2400.5", False)])
def test_a_picture_is_shrunk_as_far_as_it_can_be_read(manifest, width, shrunk):
    page = render(manifest, CERTIFICATE, PICTURE.replace('width="9"', f'width="{width}"', 1))
    assert ('class="tfser-memory shrunk"' in page) == shrunk


@pytest.mark.parametrize("inside", [
    "<script>x()</script>", '<rect onload="x()"/>', '<a href="x"/>', '<image href="x"/>', "<style>@import 'x'</style>",
    "<style>a { fill: url(x) }</style>", '<rect fill="url(x)"/>', '<h:b xmlns:h="http://www.w3.org/1999/xhtml"/>',
    '<rect xmlns:x="y" x:href="z"/>', '<text style="x">a</text>', "<style>&lt;/style></style>", "<rect>", "&x;",
])
def test_a_picture_that_does_more_than_draw_is_refused(manifest, inside):
    with pytest.raises(InputError, match=r"TF-REP-04: memory.svg"):
        render(manifest, CERTIFICATE, PICTURE.replace("</g>", f"{inside}</g>"))


def test_missing_sections_say_so():
    page = outline(BARE, None, None)
    assert page.headings == SECTIONS
    assert page.text.count("Not recorded in this build: ") == len(SECTIONS)
    assert "model for cortex-m4" in page.text
    assert "Not validated" in page.text


@pytest.mark.parametrize(("section", "value", "named"), [
    ("scores", {"test": {"wf1": 0.5}}, "accuracy"), ("scores", {"test": {"wf1": "high"}}, "summary"),
    ("operators", ["ADD"], "operators"), ("size", {"budget": [{}]}, "summary"), ("validation", [1], "summary"),
    ("split", {"corpus": "emodb"}, "summary"), ("tool_versions", 3, "how it was built"),
])
def test_a_section_of_another_form_is_refused(manifest, section, value, named):
    manifest[section] = value
    with pytest.raises(InputError, match=rf"TF-REP-01: the data for the page's {named}"):
        render(manifest, CERTIFICATE)


def test_the_page_needs_no_network_and_no_script(manifest):
    page = render(manifest, CERTIFICATE, PICTURE)
    assert not re.search(r"https?:|//|@import|<script|<link|<img|javascript|\bsrc=", page)
    links = re.findall(r'\bhref="([^"]*)"', page)
    assert links == [f"#{identity}" for identity in re.findall(r'<section id="([^"]*)"', page)]
    assert re.findall(r"url\([^)]*\)", page) == ["url(#hatch)"]


def test_the_page_is_the_same_from_memory_and_from_the_files(manifest):
    """`tfser build` draws what it holds, `tfser report` what it reads, where keys are sorted."""
    manifest["deployed"] = {**DEPLOYED, "int8": dict(reversed(DEPLOYED["int8"].items()))}
    manifest["size"]["figures"] = dict(reversed(manifest["size"]["figures"].items()))
    manifest["measured"] = dict(reversed(manifest["measured"].items()))
    written = json.loads(canonical_json(manifest)), json.loads(canonical_json(CERTIFICATE))
    assert list(written[0]["size"]["figures"]) != list(manifest["size"]["figures"])
    assert render(*written) == render(manifest, CERTIFICATE)


def test_drawing_loads_nothing_heavy():
    code = ("import sys; from tfser.report.page import render; print(sorted("
            "{'tensorflow', 'tf_keras', 'numpy', 'matplotlib', 'firmware_gen', 'librosa'} & set(sys.modules)))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
