"""``tfser card`` and the card that a training leaves: whole, the same every time, and honest about what it lacks."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil

import numpy as np
import pytest

from tfser.convert.quantised_file import Tuned, save_tuned
from tfser.models.checkpoint import Checkpoint, read_checkpoint
from tfser.report.card import card_facts, right_when_rare
from tfser.report.card_text import render_card
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec, TuneSpec
from tfser.training.metrics import score

LABELS = ("calm", "angry")
PARAMETERS = {"trained": 20, "deployed": 10}


@pytest.fixture(scope="module")
def card(run_folder) -> dict:
    return json.loads((run_folder / "card.json").read_text())


def split_of(corpus: str, **changes: object) -> dict:
    return {"corpus": corpus, "folds": 6, "fold": 0, "train": ["05", "06"], "validation": ["03", "04"],
            "test": ["01", "02"], "fingerprint": "ab" * 32, "train_on": "train", "speaker_disjoint": True, **changes}


def checkpoint_of(corpus: str = "ravdess", parents: dict | None = None, **changes: object) -> Checkpoint:
    rng = np.random.default_rng(0)
    true = rng.integers(2, size=40)
    tested = score(true, np.where(rng.random(40) < 0.7, true, 0), LABELS, ["01", "02"] * 20)
    return Checkpoint(ModelSpec("conformer", LABELS), FeatureSpec(), TrainSpec(), split_of(corpus, **changes),
                      {"test": tested}, parents or {})


def text_of(checkpoint: Checkpoint, **recorded: object) -> str:
    return render_card(card_facts(checkpoint, sha256="cd" * 32, parameters=PARAMETERS, recorded=recorded))


def test_a_training_leaves_its_card(card, run_folder, corpus_folder):
    text = (run_folder / "card.md").read_text()
    assert text == render_card(card)
    assert card["data"] == {"recordings": {"train": 24, "validation": 12, "test": 12}, "left_out": {},
                            "shared_sentences": 3}
    assert card["model"]["parameters"]["trained"] == card["model"]["parameters"]["deployed"] > 10_000
    checkpoint, _ = read_checkpoint(run_folder / "checkpoint.npz")
    assert card["scores"]["test"]["wf1"] == checkpoint.metrics["test"]["wf1"]
    assert card["scores"]["test"]["intervals"]["wf1"]["mean"] == pytest.approx(checkpoint.metrics["test"]["wf1"])
    assert str(corpus_folder) not in text and not re.search(r"/tmp|/home|20\d\d-\d\d-\d\d", text)


def test_the_command_prints_what_lies_beside(tfser, card, run_folder):
    assert tfser("card", run_folder).out == (run_folder / "card.md").read_text()
    answer = tfser("card", run_folder / "checkpoint.npz", "--json").json()
    assert answer == card


def test_the_commands_of_a_card_make_the_same_checkpoint(tfser, card, run_folder, corpus_folder, tmp_path):
    (line,) = card["commands"]
    words = {"ROOT": str(corpus_folder), "OUT": str(tmp_path / "again")}
    assert tfser(*[words.get(word, word) for word in shlex.split(line)[1:]]).code == 0
    for name in ("checkpoint.npz", "card.json", "card.md"):
        assert (tmp_path / "again" / name).read_bytes() == (run_folder / name).read_bytes()


def test_what_is_not_known_is_said_to_be_unknown(tfser, run_folder, tmp_path):
    shutil.copy(run_folder / "checkpoint.npz", tmp_path)
    result = tfser("card", tmp_path)
    assert result.code == 0
    assert "| test | 1 | not recorded | 03 |" in result.out and "left out: not recorded" in result.out
    assert "tfser train --arch convtransformer --corpus emodb --root ROOT" in result.out  # the checkpoint says it


def test_the_card_of_another_checkpoint_is_not_used(tfser, card, run_folder, tmp_path):
    shutil.copy(run_folder / "checkpoint.npz", tmp_path)
    (tmp_path / "card.json").write_text(json.dumps({**card, "sha256": "00" * 32}))
    result = tfser("card", tmp_path, "--json")
    assert "is of another checkpoint and is not used" in result.err
    assert result.json()["data"] is None


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_a_damaged_card_is_refused(tfser, run_folder, tmp_path, content):
    shutil.copy(run_folder / "checkpoint.npz", tmp_path)
    (tmp_path / "card.json").write_text(content)
    result = tfser("card", tmp_path)
    assert result.code == 2 and "TF-CARD-01" in result.err


def test_a_backbone_is_the_shipped_one(tfser):
    result = tfser("card", "speechformer")
    assert result.code == 0 and result.out.startswith("# Model card: speechformer small, emodb fold 0 of 5\n")
    assert "## Cross-validated" in result.out and "python tools/crossvalidate.py" in result.out


def test_tuned_int8_weights_and_scores_beside_are_in_the_card(tfser, card, run_folder, tmp_path):
    shutil.copy(run_folder / "checkpoint.npz", tmp_path)
    save_tuned(tmp_path / "quantised.npz", Tuned({}, {}, TuneSpec(steps=7)), tmp_path / "checkpoint.npz")
    tested = card["scores"]["test"]
    part = {"utterances": 12, "same_label": 9, "float": tested, "int8": {**tested, "wf1": 0.125}}
    (tmp_path / "int8.json").write_text(json.dumps({"sources": {"checkpoint.npz": card["sha256"]},
                                                    "roles": {"test": part}}))
    text = tfser("card", tmp_path).out
    assert "- int8 weights: tuned after the merge, quantisation in the loop: batch_size 32, " in text
    assert " --qat --qat-steps 7 " in text
    assert f"| WF1 | {tested['wf1']:.3f} | 0.125 |" in text and "on 75.00% of the recordings" in text
    (tmp_path / "int8.json").write_text(json.dumps({"sources": {"checkpoint.npz": "00"}, "roles": {"test": part}}))
    assert "Its scores are not recorded here" in tfser("card", tmp_path).out


def test_a_card_is_drawn_alike_whatever_the_order_of_its_facts(card, run_folder, tmp_path):
    (tmp_path / "card.json").write_text(json.dumps(card, sort_keys=True))
    assert render_card(json.loads((tmp_path / "card.json").read_text())) == (run_folder / "card.md").read_text()


def test_non_commercial_data_is_said_before_anything_else():
    lines = text_of(checkpoint_of("ravdess")).splitlines()
    assert lines[2].startswith("> **NON-COMMERCIAL: trained on ravdess")
    assert "NON-COMMERCIAL" not in text_of(checkpoint_of("emodb", test=["03"]))


def test_a_teacher_hands_on_its_terms():
    above = {"sha256": "ef" * 32, "corpus": "ravdess", "heard": ["01"], "fingerprint": None, "parents": {}}
    teacher = {"sha256": "12" * 32, "corpus": "cremad", "heard": ["1001"], "fingerprint": None,
               "parents": {"start": above}}
    text = text_of(checkpoint_of("emodb", {"teachers": [teacher]}))
    assert "NON-COMMERCIAL: trained on ravdess" in text
    assert [line for line in text.splitlines() if line.startswith("- corpus:")] == [
        "- corpus: emodb", "- corpus: cremad", "- corpus: ravdess"]
    assert "teachers: cremad (SHA-256 `121212121212`)" in text


def test_hints_name_their_source():
    hints = {"sha256": "ab" * 32, "source": "an encoder of 1,000 hours", "corpus": "emodb", "heard": ["08"],
             "fingerprint": "x", "parents": {}}
    assert "- hints: an encoder of 1,000 hours: emodb (SHA-256 `abababababab`)" in text_of(
        checkpoint_of("emodb", {"hints": hints})).splitlines()
    assert "- hints:" not in text_of(checkpoint_of("emodb"))


def test_overlapping_speakers_and_unknown_terms_are_loud():
    text = text_of(checkpoint_of("csv", speaker_disjoint=False))
    assert "> **Terms of the training data not known here" in text
    assert "> **Speakers overlap between training and test" in text and "- speakers disjoint: NO" in text


def test_women_and_men_apart():
    facts = card_facts(checkpoint_of("ravdess"), sha256="", parameters=PARAMETERS)
    sexes, speakers = facts["scores"]["test"]["sexes"], facts["scores"]["test"]["speakers"]
    assert sexes == {sex: {"speakers": 1, "utterances": 20, "uar": speakers[name]["uar"]}
                     for sex, name in (("men", "01"), ("women", "02"))}
    assert card_facts(checkpoint_of("csv"), sha256="", parameters=PARAMETERS)["scores"]["test"]["sexes"] == {}


def test_most_alarms_of_a_rare_label_are_false():
    found = right_when_rare(np.array([[80, 20], [10, 90]]), LABELS)
    assert found["angry"] == pytest.approx(0.9 * 0.01 / (0.9 * 0.01 + 20.5 / 101 * 0.99))
    assert right_when_rare(np.array([[9, 0], [0, 9]]), LABELS)["angry"] < 0.2  # none in nine is not never
    assert right_when_rare(np.array([[9, 0], [0, 0]]), LABELS) == {"calm": None, "angry": None}


def test_nobody_left_to_test():
    checkpoint = dataclasses.replace(checkpoint_of("ravdess", train_on="all", test=[], validation=[]), metrics={})
    text = text_of(checkpoint)
    assert "## Scores\n\nNone: nobody was left to test it on." in text and "- roles that train: all" in text


def test_scores_of_the_int8_model():
    int8 = {"on": "Test speakers of every fold and seed.", "float": {"wf1": 0.7}, "int8": {"wf1": 0.69},
            "same_label": 0.985}
    text = text_of(checkpoint_of(), int8=int8)
    assert "| WF1 | 0.700 | 0.690 |" in text and "The same label as the float model on 98.50% of" in text


def test_a_checkpoint_of_which_nothing_is_known():
    bare = Checkpoint(ModelSpec("conformer", LABELS), FeatureSpec())
    text = text_of(bare)
    assert "Split: not recorded." in text and "Command: not recorded." in text and "- recipe: not recorded" in text
