"""tools/measure_robustness.py: the test speakers of a checkpoint, as recorded and elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfser.models.checkpoint import read_checkpoint
from tools.measure_robustness import CONDITIONS, SCORES, main, measure


@pytest.fixture(scope="module")
def measured(run_folder, corpus_folder):
    return measure(run_folder / "checkpoint.npz", "emodb", corpus_folder)


def test_as_recorded_it_scores_as_at_its_training(measured, run_folder):
    metrics = read_checkpoint(run_folder / "checkpoint.npz")[0].metrics["test"]
    assert measured["as recorded"] == {score: metrics[score] for score in SCORES}


def test_a_pitch_that_labels_go_by_is_lost_in_noise(measured):
    assert list(measured) == list(CONDITIONS) and len(measured) == 10
    assert measured["white noise, SNR 0 dB"] != measured["as recorded"]


def test_each_condition_changes_the_sound_in_its_own_way():
    y = np.sin(np.arange(16000) / 5).astype(np.float32)
    heard = [condition(y, np.random.default_rng(0)) for condition in CONDITIONS.values()]
    np.testing.assert_array_equal(heard[0], y)
    assert len({x.tobytes() for x in heard}) == len(CONDITIONS)
    louder = [np.std(x - y) for x in heard[1:5]]
    assert louder == sorted(louder) and louder[0] < 0.2 * louder[-1]


def test_the_mean_over_checkpoints(run_folder, corpus_folder, measured, capsys):
    checkpoint = str(run_folder / "checkpoint.npz")
    main([checkpoint, checkpoint, "--corpus", "emodb", "--root", str(corpus_folder)], standalone_mode=False)
    result = json.loads(capsys.readouterr().out)
    assert result["conditions"] == measured and result["checkpoints"] == 2
