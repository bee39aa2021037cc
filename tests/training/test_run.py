"""A training in a folder: what it writes, what it resumes, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from stopped import Stop

from tfser.corpora.splits import speaker_split
from tfser.errors import InputError
from tfser.features.normalise import fit_bands
from tfser.models.archive import read_archive, write_archive
from tfser.models.checkpoint import load_checkpoint
from tfser.spec import FeatureSpec, HrfSpec, ModelSpec, TrainSpec
from tfser.training.data import roles_of, score_clips, select
from tfser.training.loop import predictor
from tfser.training.run import Training, check_out, train
from tfser.training.state import KIND


@pytest.fixture(scope="module")
def training(corpus):
    model = ModelSpec("convtransformer", corpus.labels, norm="layer", hrf=HrfSpec(2, 2, ("ffn1",)))
    return Training(model, FeatureSpec(), TrainSpec(epochs=3, batch_size=8), speaker_split(corpus, folds=4, fold=1))


@pytest.fixture(scope="module")
def finished(training, data, tmp_path_factory):
    """A training that was never interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(training, data, out, resume=False, on_epoch=lambda entry: None)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stop_after(epoch: int):
    def on_epoch(entry):
        if entry["epoch"] == epoch:
            raise Stop
    return on_epoch


@pytest.fixture(scope="module")
def after_one_epoch(training, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "part"
    with pytest.raises(Stop):
        train(training, data, out, resume=False, on_epoch=stop_after(1))
    return out


@pytest.fixture
def interrupted(after_one_epoch, tmp_path):
    return Path(shutil.copytree(after_one_epoch, tmp_path / "run"))


def test_what_a_finished_training_leaves(finished, training, data):
    assert contents(finished).keys() == {"checkpoint.npz", "history.json", "metrics.json"}
    history = json.loads((finished / "history.json").read_text())["epochs"]
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    assert all(np.isfinite(entry["loss"]) for entry in history)
    metrics = json.loads((finished / "metrics.json").read_text())
    assert set(metrics["validation"]["speakers"]) == set(training.split.validation)
    assert set(metrics["test"]["speakers"]) == set(training.split.test)


def test_the_scores_are_those_of_the_weights_that_were_written(finished, training, data):
    checkpoint, model = load_checkpoint(finished / "checkpoint.npz")
    clips = select(data, roles_of(data, training.split) == "test", checkpoint.features)
    assert score_clips(clips, predictor(model)(clips.x), checkpoint.model.labels) == checkpoint.metrics["test"]


def test_bands_are_fitted_to_the_training_speakers_alone(finished, training, data):
    trained_on = np.isin(data.speakers, training.split.train)
    checkpoint, _ = load_checkpoint(finished / "checkpoint.npz")
    assert checkpoint.features == fit_bands(data.x[trained_on], training.features)
    assert checkpoint.features != fit_bands(data.x, training.features)


def test_a_resumed_training_ends_in_the_same_bytes(finished, interrupted, training, data):
    assert contents(interrupted).keys() == {"state.npz"}
    epochs = []
    train(training, data, interrupted, resume=True, on_epoch=lambda entry: epochs.append(entry["epoch"]))
    assert epochs == [2, 3]
    assert contents(interrupted) == contents(finished)


def test_without_a_watcher_the_validation_speakers_are_scored_at_the_end_alone(finished, interrupted, training, data):
    train(training, data, interrupted, resume=True, on_epoch=None)
    epochs = json.loads((interrupted / "history.json").read_text())["epochs"]
    assert ["validation" in entry for entry in epochs] == [True, False, False]
    assert {name: content for name, content in contents(interrupted).items() if name != "history.json"} \
        == {name: content for name, content in contents(finished).items() if name != "history.json"}


def test_killed_before_the_result_was_whole(finished, interrupted, training, data, monkeypatch):
    """Between checkpoint.npz and history.json."""
    def killed(*arguments):
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr("tfser.training.run.write_atomic", killed)
        train(training, data, interrupted, resume=True, on_epoch=lambda entry: None)
    assert contents(interrupted).keys() == {"state.npz", "checkpoint.npz"}
    train(training, data, interrupted, resume=True, on_epoch=lambda entry: None)
    assert contents(interrupted) == contents(finished)


def test_resuming_what_is_finished_changes_nothing(finished, training, data):
    before = contents(finished)
    checkpoint = train(training, data, finished, resume=True, on_epoch=stop_after(1))
    metrics = json.loads((finished / "metrics.json").read_text())
    assert checkpoint.metrics == {role: metrics[role] for role in ("validation", "test")}
    assert contents(finished) == before


@pytest.mark.parametrize(("change", "named"), [
    ({"recipe": TrainSpec(epochs=4, batch_size=8)}, "train.epochs is 3 there and 4 here"),
    ({"model": {"norm": "batch"}}, "model.norm is 'layer' there and 'batch' here"),
    ({"model": {"hrf": None}}, "model.hrf is {.* there and None here"),
    ({"fold": 2}, "split.fingerprint is"),
])
@pytest.mark.parametrize("stage", ["interrupted", "finished"])
def test_another_training_is_not_resumed(request, stage, corpus, training, data, change, named):
    out = request.getfixturevalue(stage)
    before = contents(out)
    other = dataclasses.replace(training, **{
        "recipe": change.get("recipe", training.recipe),
        "model": dataclasses.replace(training.model, **change.get("model", {})),
        "split": speaker_split(corpus, folds=4, fold=change.get("fold", 1)),
    })
    with pytest.raises(InputError, match=f"TF-TRAIN-03.*{named}"):
        train(other, data, out, resume=True, on_epoch=lambda entry: None)
    assert contents(out) == before


def test_a_damaged_state(interrupted, training, data):
    state = interrupted / "state.npz"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"TF-CKPT-02.*state.npz"):
        train(training, data, interrupted, resume=True, on_epoch=lambda entry: None)


def test_a_state_without_a_part_of_the_optimiser(interrupted, training, data):
    document, arrays = read_archive(interrupted / "state.npz", KIND)
    del arrays["optimizer/5"]
    write_archive(interrupted / "state.npz", KIND, document, arrays)
    with pytest.raises(InputError, match="TF-TRAIN-02"):
        train(training, data, interrupted, resume=True, on_epoch=lambda entry: None)


def test_a_checkpoint_is_no_state(finished, tmp_path, training, data):
    (tmp_path / "state.npz").write_bytes((finished / "checkpoint.npz").read_bytes())
    with pytest.raises(InputError, match=r"TF-CKPT-03.*holds a checkpoint"):
        train(training, data, tmp_path, resume=True, on_epoch=lambda entry: None)


def test_an_unfinished_training_is_not_started_over(interrupted):
    with pytest.raises(InputError, match=r"TF-TRAIN-07.*an unfinished training \(1 epochs done\)"):
        check_out(interrupted, resume=False)


def test_a_finished_training_is_not_replaced(finished):
    with pytest.raises(InputError, match=r"TF-TRAIN-07.*a finished training"):
        check_out(finished, resume=False)


def test_output_folders_that_are_not_ours(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="TF-TRAIN-05"):
        check_out(tmp_path / "file", resume=False)
    with pytest.raises(InputError, match=r"TF-TRAIN-07.*files that tfser train did not write"):
        check_out(tmp_path, resume=False)
    with pytest.raises(InputError, match="TF-TRAIN-06"):
        check_out(tmp_path, resume=True)
    (tmp_path / "empty").mkdir()
    check_out(tmp_path / "empty", resume=False)
    check_out(tmp_path / "new", resume=False)


def test_a_role_whose_recordings_are_all_silent(training, data):
    heard = data.speakers != training.split.validation[0]
    fewer = dataclasses.replace(data, x=data.x[heard], labels=data.labels[heard], speakers=data.speakers[heard],
                                ids=data.ids[heard])
    with pytest.raises(InputError, match=r"TF-TRAIN-04.*validation"):
        roles_of(fewer, training.split)
