"""Corpora of other kinds all the way: checked, trained on, scored, built, and scored as they are deployed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from corpus_trees import make_daic, make_iemocap, write_text
from tiny_corpus import make_corpus


def make_table(root: Path) -> Path:
    """A table of four speakers, in two recordings of each emotion; where one ends, the other begins."""
    make_corpus(root, takes=2)
    rows = [f"{path.name},{path.name[:2]},{path.name[5]},{path.name[2:5]}" for path in sorted(root.glob("*.wav"))]
    return write_text(root / "own.csv", "\r\n".join(["path,speaker,label,text", *rows, ""]), encoding="utf-8-sig")


#: What makes a corpus, its test speakers in fold 0, its test utterances, and how many groups of them vote.
CASES = {
    "iemocap": (make_iemocap, ["Ses01F", "Ses01M"], 20, None),
    "daic-woz": (make_daic, ["308", "451"], 4, 2),
    "csv": (make_table, ["03"], 8, None),
}


@pytest.fixture
def no_toolchain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Builds with compilers and emulators are other tests'; here they would only take time."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_toolchain")
@pytest.mark.parametrize("name", CASES)
def test_from_the_annotation_to_the_deployed_model(tfser, tmp_path: Path, name: str) -> None:
    make, speakers, utterances, groups = CASES[name]
    corpus = ("--corpus", name, "--root", make(tmp_path / "corpus"))
    run, build = tmp_path / "run", tmp_path / "build"

    checked = tfser("corpus", "check", *corpus, "--json").json()
    split = checked["splits"][0]
    assert (split["test"], split["utterances"]["test"]) == (speakers, utterances)

    trained = tfser("train", "--arch", "convtransformer", *corpus, "--hrf-ratio", "2", "--epochs", "1", "--out", run,
                    "--json")
    assert trained.code == 0, trained.err
    assert trained.json()["split"]["fingerprint"] == split["fingerprint"]
    if split["shared_texts"]:
        assert f"{len(split['shared_texts'])} sentences are in training and in the test" in trained.err

    scored = tfser("evaluate", run / "checkpoint.npz", *corpus, "--json")
    assert scored.code == 0, scored.err
    assert list(scored.json()["speakers"]) == speakers and scored.json()["utterances"] == utterances
    assert {key: scored.json()[key] for key in trained.json()["test"]} == trained.json()["test"]

    built = tfser("build", "--checkpoint", run, "--target", "cortex-m7", "--out", build)
    assert built.code == 0, built.err
    manifest = json.loads((build / "manifest.json").read_text())
    assert manifest["split_fingerprint"] == split["fingerprint"]
    assert f'TFSER_SPLIT_FINGERPRINT "{split["fingerprint"]}"' in (build / "firmware/tfser.h").read_text()

    deployed = tfser("evaluate", build / "model.tflite", *corpus, "--json")
    assert deployed.code == 0, deployed.err
    assert deployed.json()["utterances"] == utterances and deployed.json()["fingerprint"] == split["fingerprint"]
    for scores in (scored.json(), deployed.json()):
        assert scores.get("groups", {}).get("utterances") == groups

    report = tfser("report", build, *corpus, "--against", run / "checkpoint.npz", "--json")
    assert report.code == 0, report.err
    assert {key: deployed.json()[key] for key in report.json()["deployed"]["int8"]} == report.json()["deployed"]["int8"]
    assert re.search(rf"{name} test speakers {', '.join(speakers)}", (build / "report.html").read_text())

    valid = tfser("validate", build / "model.tflite", "--against", run / "checkpoint.npz", *corpus, "--json")
    assert valid.code in (0, 1), valid.err  # what an epoch has taught may not survive int8; that is a verdict
    assert f"test speakers of {name}" in json.dumps(valid.json())
