"""A training that is killed, wherever it is, ends in the same bytes once it is resumed."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from killed_training import epochs_done, finish, kill_in, start
from tiny_corpus import RATE_HZ, make_corpus

from tfser.corpora import load_corpus
from tfser.corpora.splits import speaker_split
from tfser.features.dataset import FeatureSet, corpus_features
from tfser.files import unfinished_files
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec
from tfser.training.run import Training

RESULT = {"checkpoint.npz", "history.json", "metrics.json"}


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[Training, FeatureSet]:
    """A training in which everything is random that can be: windows, dropout, augmentation; and weights averaged."""
    root = make_corpus(tmp_path_factory.mktemp("corpus"))
    for path in root.glob("*1*.wav"):
        y, _ = soundfile.read(path)
        soundfile.write(path, np.tile(y, 10), RATE_HZ)
    corpus = load_corpus("emodb", root)
    data = corpus_features(corpus, FeatureSpec())
    assert len(data.x) > 1.5 * len(data.labels)
    recipe = TrainSpec(epochs=3, batch_size=8, average_decay=0.9, class_balance=0.5)
    return Training(ModelSpec("convtransformer", corpus.labels), FeatureSpec(), recipe,
                    speaker_split(corpus, folds=4, fold=1)), data


def with_epochs(given: tuple[Training, FeatureSet], epochs: int) -> tuple[Training, FeatureSet]:
    training, data = given
    return dataclasses.replace(training, recipe=dataclasses.replace(training.recipe, epochs=epochs)), data


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_killed_at_every_step_of_writing(given, tmp_path):
    """The first state, a later one, the checkpoint, the history, and before the state is removed."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert finish(start(*given, whole)) == 0
    assert contents(whole).keys() == RESULT
    moments = [
        ("replace 1", 0, set()),
        ("replace 3", 1, {"state.npz"}),
        ("replace 3", 3, {"state.npz"}),  # resumed: epochs 2 and 3, then the checkpoint
        ("replace 2", 3, {"state.npz", "checkpoint.npz"}),
        ("unlink 2", 3, {"state.npz", *RESULT}),  # the first removes what the kill before left
    ]
    for moment, epochs, files in moments:
        assert finish(start(*given, killed, kill_at=moment)) == -signal.SIGKILL, moment
        assert epochs_done(killed) == epochs
        left_over = {path.name for path in unfinished_files(killed)}
        assert contents(killed).keys() - left_over == files and len(left_over) == (moment != "unlink 2")
    assert finish(start(*given, killed)) == 0
    assert contents(killed) == contents(whole)


def test_killed_at_random_moments(given, tmp_path):
    """Each time after an epoch more at least, so that it ends."""
    given = with_epochs(given, 24)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert finish(start(*given, whole)) == 0
    rng = np.random.default_rng()
    codes, done = [], 0
    while not codes or codes[-1] != 0:
        process = start(*given, killed)
        if len(codes) < 3:
            kill_in(process, killed, epochs=done + 1, delay_s=rng.uniform(0, 0.3))
        codes.append(finish(process))
        assert codes[-1] in (0, -signal.SIGKILL)
        assert epochs_done(killed) > done or codes[-1] == 0
        done = epochs_done(killed)
    assert contents(killed) == contents(whole)
    assert -signal.SIGKILL in codes
