"""``--train-on`` and ``--speaker-overlap``: who trains, who is scored, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_corpus import make_corpus

from tfser.cli.tested_on import heard_speakers
from tfser.corpora import load_corpus
from tfser.models.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory, train_arguments):
    """Train with more options, once: the folder, and stdout and stderr as text."""
    from click.testing import CliRunner

    from tfser.cli.train import command

    runs: dict[tuple[str, ...], tuple[Path, str]] = {}

    def train(*options: str) -> tuple[Path, str]:
        if options not in runs:
            out = tmp_path_factory.mktemp("runs") / "run"
            result = CliRunner().invoke(command, [*train_arguments[1:], "--epochs", "1", *options, "--out", str(out)])
            assert result.exit_code == 0, result.output
            runs[options] = out, result.stdout
        return runs[options]
    return train


def roles_in(folder: Path) -> set[str]:
    return json.loads((folder / "metrics.json").read_text()).keys() - {"schema_version", "split"}


def evaluate(tfser, folder: Path, root: Path, *options: str):
    return tfser("evaluate", folder / "checkpoint.npz", "--corpus", "emodb", "--root", root, "--json", *options)


def test_validation_speakers_train_too(tfser, trained, corpus_folder):
    folder, out = trained("--train-on", "train+validation")
    split = read_checkpoint(folder / "checkpoint.npz")[0].split
    assert (split["train"], split["validation"], split["test"]) == (["08", "10", "09"], [], ["03"])
    assert (split["train_on"], split["speaker_disjoint"]) == ("train+validation", True)
    assert roles_in(folder) == {"test"} and "\ntest " in out and "validation " not in out
    (entry,) = json.loads((folder / "history.json").read_text())["epochs"]
    assert entry.keys() == {"epoch", "loss"}
    result = evaluate(tfser, folder, corpus_folder)
    trained_as = json.loads((folder / "metrics.json").read_text())["test"]
    assert result.code == 0 and {name: result.json()[name] for name in trained_as} == trained_as
    assert result.json()["heard_speakers"] == [] and "warning" not in result.err


@pytest.mark.parametrize(("train_on", "empty"), [
    ("train+validation", ("validation",)), ("all", ("validation", "test"))])
def test_a_role_that_is_empty_is_not_scored(tfser, trained, corpus_folder, train_on, empty):
    folder, _ = trained("--train-on", train_on)
    for role in empty:
        result = evaluate(tfser, folder, corpus_folder, "--split", role)
        assert (result.code, result.out) == (2, "")
        assert "TF-EVAL-05" in result.err and f"--train-on {train_on}" in result.err


def test_trained_on_all_and_scored_on_others(tfser, trained, corpus_folder, tmp_path):
    folder, out = trained("--train-on", "all")
    assert roles_in(folder) == set() and out == f"{folder / 'checkpoint.npz'}\n"
    others = evaluate(tfser, folder, make_corpus(tmp_path, speakers=("11", "13"), takes=1), "--split", "all")
    assert others.code == 0 and "warning" not in others.err
    assert (others.json()["utterances"], others.json()["heard_speakers"]) == (8, [])
    mixed = evaluate(tfser, folder, make_corpus(tmp_path, speakers=("03",), takes=1), "--split", "all")
    assert mixed.json()["heard_speakers"] == ["03"] and "trained on 1 of these 3 speakers" in mixed.err
    same = evaluate(tfser, folder, corpus_folder, "--split", "train")
    assert same.json()["utterances"] == 48 and "trained on 4 of these 4 speakers" in same.err


def test_resuming_with_another_choice_is_refused(tfser, trained, train_arguments):
    folder, _ = trained("--train-on", "all")
    arguments = [*train_arguments, "--epochs", "1", "--out", folder, "--resume"]
    assert tfser(*arguments, "--train-on", "all").code == 0
    result = tfser(*arguments)
    assert result.code == 2 and "TF-TRAIN-03" in result.err


def test_speakers_that_overlap_are_said_aloud_and_recorded(tfser, trained, train_arguments, corpus_folder):
    folder, out = trained("--speaker-overlap")
    assert "of speakers 03, 08, 09, 10, heard in training)" in out
    split = json.loads((folder / "metrics.json").read_text())["split"]
    assert split == read_checkpoint(folder / "checkpoint.npz")[0].split
    assert split["speaker_disjoint"] is False and split["train"] == split["test"] == ["03", "08", "10", "09"]
    again = tfser(*train_arguments, "--epochs", "1", "--speaker-overlap", "--out", folder, "--resume")
    assert again.code == 0 and "warning: --speaker-overlap" in again.err
    text = tfser("evaluate", folder / "checkpoint.npz", "--corpus", "emodb", "--root", corpus_folder)
    assert text.out.startswith("emodb, test speakers (trained on 4 of these 4 speakers): 12 recordings")
    assert "warning" in text.err
    result = evaluate(tfser, folder, corpus_folder)
    scores = json.loads((folder / "metrics.json").read_text())["test"]
    assert {name: result.json()[name] for name in scores} == scores and scores["utterances"] == 12


def test_no_word_about_overlap_without_it(tfser, train_arguments, run_folder):
    result = tfser(*train_arguments, "--out", run_folder, "--resume")
    assert result.code == 0 and "overlap" not in result.err and "heard in training" not in result.out
    assert "3 sentences are in training and in the test" in result.err


def test_speakers_whom_a_teachers_start_has_heard_count_as_heard(corpus_folder):
    corpus = load_corpus("emodb", corpus_folder)
    start = {"corpus": "emodb", "heard": ["10"], "parents": {}}
    teacher = {"corpus": "ravdess", "heard": ["03"], "parents": {"start": start}}
    split = {"corpus": "emodb", "train": ["09"]}
    assert heard_speakers(split, {}, corpus) == ["09"]
    assert heard_speakers(split, {"teachers": [teacher]}, corpus) == ["09", "10"]
    assert heard_speakers(split, {"teachers": [teacher, {**start, "heard": None}]}, corpus) is None
