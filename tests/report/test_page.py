"""The report page: whole, escaped, the same for the same build, and honest about what is missing."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tfser.errors import InputError
from tfser.files import canonical_json
from tfser.report.page import render

VOID = {"meta", "rect"}
SECTIONS = ["Budget", "Memory", "Instructions", "Merge", "Validation", "Accuracy", "Operators", "Largest tensors",
            "How it was built"]
MANIFEST = {
    "schema_version": 1, "target": "cortex-m7", "tool_versions": {"tfser": "0.1.0"},
    "files": {"model.tflite": "ab" * 32, "report.html": "ef" * 32},
    "model": {"arch": "conformer", "size": "small", "norm": "batch", "activation": "swish", "parameters": 65767,
              "hrf": {"ratio": 2, "depth": 2, "sites": ["ffn1", "ffn2"]}},
    "labels": ["fear", "anger"],  # not in the order of a sorted JSON object
    "features": {"sample_rate_hz": 16000, "window_samples": 400, "hop_samples": 320, "fft_size": 512,
                 "mel_bands": 40, "frames": 100},
    "train": {"epochs": 65, "batch_size": 32, "learning_rate": 0.002, "seed": 0},
    "quantisation": {"input": {"scale": 0.0377561, "zero_point": -93}, "output": {"scale": 0.5, "zero_point": 7}},
    "operators": {"ADD": 3, "CONV_2D": 26, "MUL": 3},
    "measured": {"model_bytes": 95760, "arena_bytes": 48800, "instructions_per_inference": None},
    "reasons": {"instructions_per_inference": "nothing ran it"},
    "profile": [{"step": "operator 0 CONV_2D", "instructions": 3000},
                {"step": "operator 1 ADD + operator 2 MUL", "instructions": 1000}],
    "plan": {"arena_bytes": 48800, "lower_bound_bytes": 48000},
    "split": {"corpus": "emodb", "fold": 0, "folds": 5, "train": ["11", "12"], "validation": ["09", "10"],
              "test": ["03", "08"], "fingerprint": "cd" * 32},
    "scores": {"test": {"utterances": 4, "wf1": 0.5, "uar": 0.25, "wa": 0.75, "macro_f1": 0.125,
                        "classes": {"fear": {"recall": 0.75, "support": 4}, "anger": {"recall": None, "support": 0}},
                        "speakers": {"03": {"uar": 0.625, "wa": 0.5, "utterances": 4}},
                        "confusion": [[3, 1], [0, 0]]}},
    "validation": {"passed": True, "findings": [
        {"code": "TF-DOC-17", "severity": "warning", "text": "an odd shape", "fix": "nothing to do"}],
        "checks": [{"name": "int8", "passed": True, "detail": "no float"},
                   {"name": "agreement", "passed": True, "detail": "70 of 70", "agree": 69, "clips": 70}]},
    "size": {"board": "nucleo-f767zi", "core": "cortex-m7",
             "figures": {"model_bytes": {"value": 95760, "unit": "B", "kind": "measured", "how": "the file"},
                         "stack_bytes": {"value": 840, "unit": "B", "kind": "estimate", "how": "of another model"}},
             "budget": [{"resource": "flash", "used": 300, "limit": 1200, "unit": "B", "kind": "estimate",
                         "origin": "what the board has", "ok": True, "text": "flash 300 B <= 1200 B"},
                        {"resource": "ram", "used": 250, "limit": 500, "unit": "B", "kind": "measured",
                         "origin": "budget.toml", "ok": True, "text": "ram 250 B <= 500 B"}],
             "largest_weights": [{"name": "frontend/w", "bytes": 9600}],
             "largest_activations": [{"name": "frontend/relu", "bytes": 16000}]},
}
CERTIFICATE = {
    "merged": [{"layers": [f"{name}/hrf1", name], "kernels_before": [[40, 160], [160, 80]], "kernel_after": [40, 80]}
               for name in ("block1/a", "block2/a")],
    "refused": [{"layers": [f"{name}/a", f"{name}/b"],
                 "reason": f"activation 'relu' between them ('{name}/relu', '{name}/again')"}
                for name in ("block1", "block2")],
    "parameters_before": 156327, "parameters_after": 65767, "float32_bytes_saved": 362240,
    "max_abs_error": 1.4e-6, "tolerance": 1e-5, "decisions_agree": 70, "decisions_total": 70,
}
PICTURE = ('<svg xmlns="http://www.w3.org/2000/svg" class="tfser-memory" role="img" width="9" height="9">'
           '<title>Memory over time</title><style>.tfser-memory text { fill: #17202b; }</style>'
           '<g><title>a: 4 &lt; 5</title><rect class="box" x="1" y="2" width="3" height="4"/>'
           '<text x="1" y="2">a 4</text></g></svg>\n')
BARE = {"schema_version": 1, "target": "cortex-m4", "files": {}, "measured": {}, "reasons": {}}


class Outline(HTMLParser):
    """Tags in order with their attributes, those left open, headings, and all visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.comments = 0
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        self.comments += 1

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture
def manifest():
    return copy.deepcopy(MANIFEST)


def outline(manifest, certificate=CERTIFICATE, picture=PICTURE) -> Outline:
    return Outline(render(manifest, certificate, picture))


def bars(page: str) -> list[tuple[str, str]]:
    """Class and width of what fills each bar."""
    return re.findall(r'<rect class="([\w-]+)" width="([\d.]+%)" height="100%" rx="2"/></svg>', page)


def test_every_section_is_there_and_every_tag_is_closed(manifest):
    page = outline(manifest)
    assert page.open == []
    assert page.headings == SECTIONS
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "Not recorded" not in page.text


@pytest.mark.parametrize("shown", [
    "conformer small for cortex-m7", "board nucleo-f767zi (cortex-m7)", "100 × 40 log-mel, 16,000 Hz audio",
    "✓ Passed 2 checks, 2 budget limits kept", "95,760 B model.tflite", "48,800 B arena input, output and scratch",
    "65,767 parameters 156,327 before the merge", "0.500 WF1, float model emodb test speakers 03, 08 (fold 0 of 5)",
    "300 of 1,200 B 25.0% of what the board has", "stack_bytes 840 B estimate of another model",
    "instructions_per_inference – not measured nothing ran it", "1.4e-06, at most 1e-05", "70 of 70",
    "362,240 B of float32", "0 CONV_2D 3,000 75.0%", "1 ADD + 2 MUL 1,000 25.0%",
    "no float", "warning TF-DOC-17 an odd shape nothing to do",
    "UAR 0.250", "WA 0.750", "macro-F1 0.125", "fear 0.75 4 anger – 0", "03 0.625 0.500 4",
    "same label on 69 of 70 calibration clips", "32 operators of 3 kinds", "CONV_2D 26 ADD 3 MUL 3",
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
    assert drawn[2:4] == [("fill", "100.0%"), ("fill", "33.3%")]  # steps
    assert drawn[4:6] == [("soft-fill", "100.0%"), ("fill", "42.1%")]
    assert drawn[6:9] == [("fill", "75.0%"), ("fill", "0.0%"), ("fill", "62.5%")]  # recalls, then the speaker
    assert drawn[9:12] == [("fill", "100.0%"), ("fill", "11.5%"), ("fill", "11.5%")]  # operators


def test_only_estimates_are_marked_as_estimates(manifest):
    page = render(manifest, CERTIFICATE)
    assert page.count('class="pill estimate">estimate<') == page.count("estimate<") == 2  # flash and stack_bytes
    assert page.count('class="hatched"') == 1
    manifest["size"]["budget"][0]["kind"] = manifest["size"]["figures"]["stack_bytes"]["kind"] = "measured"
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


def test_the_confusion_matrix_is_shaded_by_share_of_the_row(manifest):
    page = render(manifest, CERTIFICATE)
    cells = re.findall(r'<td class="(\w+)" style="--share:([\d.]+%)">(\d+)</td>', page)
    assert cells == [("right", "75.0%", "3"), ("wrong", "25.0%", "1"), ("none", "0.0%", "0"), ("none", "0.0%", "0")]
    assert re.findall(r'<th scope="row">(\w+)</th><td class="(?:right|none)', page) == ["fear", "anger"]


def test_a_confusion_matrix_without_the_order_of_its_labels_is_not_drawn(manifest):
    del manifest["labels"]
    page = outline(manifest)
    assert "Confusion" not in page.text
    assert "anger – 0 fear 0.75 4" in page.text


def test_nothing_in_a_build_becomes_markup():
    """Every text of both documents, keys of free choice included, tries to break out."""
    attack = "\"'><img src=x onerror=y><!-- &amp; \ud800"
    free = {"classes", "speakers", "operators", "tool_versions", "files", "figures", "measured", "quantisation"}

    def poisoned(value, key=""):
        if isinstance(value, dict):
            return {name + attack if key in free else name: poisoned(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item) for item in value]
        return value + attack if isinstance(value, str) and key != "kind" else value

    clean, page = outline(MANIFEST), outline(poisoned(MANIFEST), poisoned(CERTIFICATE))
    known = {(tag, *attributes) for tag, attributes in clean.tags}
    assert {(tag, *attributes) for tag, attributes in page.tags} <= known
    assert page.comments == 0
    assert page.text.count("\"'><img src=x onerror=y><!-- &amp; ?") > 60


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
    assert not re.search(r"https?:|//|@import|<script|<link|<img|javascript|\bsrc=|\bhref=", page)
    assert re.findall(r"url\([^)]*\)", page) == ["url(#hatch)"]


def test_the_page_is_the_same_from_memory_and_from_the_files(manifest):
    """`tfser build` draws what it holds, `tfser report` what it reads, where keys are sorted."""
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
