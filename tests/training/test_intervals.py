"""Intervals: they cover what they promise, agree with SciPy's bootstrap, and a clear effect is clear."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from tfser.files import canonical_json
from tfser.training.intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_mean,
    paired_bootstrap,
    score_intervals,
)
from tfser.training.metrics import confusion_matrix, pool, recalls, score, uar, wa

FOLDS, SEEDS = 5, 3
GROUPS = np.repeat(np.arange(FOLDS), SEEDS)


def parts(rng: np.random.Generator, mean: float = 0.0) -> np.ndarray:
    """Differences of every fold and seed: what a fold's speakers add, and what a seed adds."""
    return (mean + np.repeat(rng.standard_normal(FOLDS), SEEDS) + rng.standard_normal(FOLDS * SEEDS)) * 0.02


def speakers(rng: np.random.Generator, count: int, recordings: int = 40) -> np.ndarray:
    """Confusion matrices of speakers whom a model recognises unequally well, on average 0.6 of the time."""
    matrices = []
    for chance in rng.beta(6, 4, count):
        true = rng.integers(3, size=recordings)
        wrong = (true + rng.integers(1, 3, recordings)) % 3
        matrices.append(confusion_matrix(true, np.where(rng.random(recordings) < chance, true, wrong), 3))
    return np.array(matrices)


def test_a_difference_is_covered_as_often_as_promised():
    """A plain percentile interval covers it in 84-90 % here, and calls 4-9 % of nothing an effect of p < 0.01."""
    rng = np.random.default_rng(1)
    found = [paired_bootstrap(parts(rng), GROUPS, resamples=999) for _ in range(800)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in found])
    assert 0.94 <= covered <= 0.985
    assert np.mean([interval.p < 0.05 for interval in found]) == pytest.approx(1 - covered, abs=0.005)
    assert np.mean([interval.p < 0.01 for interval in found]) <= 0.015


def test_a_mean_is_covered_as_often_as_promised():
    rng = np.random.default_rng(1)
    found = [bootstrap_mean(parts(rng), GROUPS, resamples=999) for _ in range(800)]
    assert 0.94 <= np.mean([interval.low <= 0 <= interval.high for interval in found]) <= 0.985
    assert {interval.p for interval in found} == {None}


@pytest.mark.parametrize(("count", "least"), [(6, 0.91), (10, 0.92)])
def test_what_other_speakers_would_score_is_covered(count, least):
    rng = np.random.default_rng(2)
    found = [bootstrap_interval(speakers(rng, count), wa, resamples=999) for _ in range(600)]
    covered = np.mean([interval.low <= 0.6 <= interval.high for interval in found])
    assert least <= covered <= 0.98


def test_recordings_of_few_speakers_say_nothing_about_others():
    rng = np.random.default_rng(3)
    found = [bootstrap_interval(speakers(rng, 2), wa, resamples=499) for _ in range(300)]
    assert {interval.unit for interval in found} == {"recording"} and {interval.units for interval in found} == {80}
    assert np.mean([interval.low <= 0.6 <= interval.high for interval in found]) < 0.85


def test_scipy_draws_the_same_speakers():
    matrices = speakers(np.random.default_rng(4), 12)
    found = bootstrap_interval(matrices, uar, resamples=20_000)
    expanded = 2 * stats.norm.cdf(np.sqrt(12 / 11) * stats.t.ppf(0.025, 11))
    oracle = stats.bootstrap((np.arange(12),), lambda drawn, axis: uar(matrices[drawn].sum(axis=-3)),
                             n_resamples=20_000, method="percentile", confidence_level=1 - expanded,
                             rng=5).confidence_interval
    assert found.mean == pytest.approx(uar(matrices.sum(axis=0)))
    assert (found.unit, found.units) == ("speaker", 12)
    assert [found.low, found.high] == pytest.approx([oracle.low, oracle.high], abs=0.005)


def test_scipy_draws_the_same_recordings():
    first, second = speakers(np.random.default_rng(6), 2)
    answers = [np.repeat([1.0, 0.0], [matrix.trace(), matrix.sum() - matrix.trace()]) for matrix in (first, second)]
    oracle = stats.bootstrap(answers, lambda a, b, axis: (a.sum(axis=axis) + b.sum(axis=axis)) / 80,
                             method="percentile", n_resamples=20_000, rng=7).confidence_interval
    found = bootstrap_interval(np.array([first, second]), wa, resamples=20_000)
    assert [found.low, found.high] == pytest.approx([oracle.low, oracle.high], abs=0.0126)  # a recording is 1/80


def test_scipy_draws_the_same_folds():
    """With one seed a fold, the symmetric bootstrap-t is SciPy's distribution of mean and deviation."""
    values = np.random.default_rng(8).normal(0.02, 0.02, 8)
    drawn = stats.bootstrap((values,), lambda x, axis: np.array([x.mean(axis=axis), x.std(axis=axis, ddof=1)]),
                            n_resamples=40_000, method="percentile", rng=9).bootstrap_distribution
    distance = np.abs(drawn[0] - values.mean()) / np.maximum(drawn[1], 1e-12)
    reach = np.quantile(distance, 0.95) * values.std(ddof=1)
    found = paired_bootstrap(values, range(8), resamples=40_000)
    assert [found.low, found.high] == pytest.approx([values.mean() - reach, values.mean() + reach], abs=0.001)
    assert found.p == pytest.approx(np.mean(distance >= values.mean() / values.std(ddof=1)), abs=0.004)


def test_scipy_draws_the_same_means():
    values = np.random.default_rng(8).normal(0.6, 0.1, 6)
    expanded = 2 * stats.norm.cdf(np.sqrt(6 / 5) * stats.t.ppf(0.025, 5))
    oracle = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="percentile",
                             confidence_level=1 - expanded, rng=9).confidence_interval
    found = bootstrap_mean(values, range(6), resamples=40_000)
    assert [found.low, found.high] == pytest.approx([oracle.low, oracle.high], abs=0.01)


def test_nothing_is_nothing():
    found = paired_bootstrap([0.0] * len(GROUPS), GROUPS)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_clear_effect_is_clear():
    found = paired_bootstrap(0.05 + parts(np.random.default_rng(10)) / 10, GROUPS)
    assert 0.04 < found.low < found.mean < found.high < 0.06
    assert found.p < 0.01 and (found.unit, found.units) == ("fold", FOLDS)


def test_an_effect_of_one_fold_alone_is_none():
    found = paired_bootstrap([0.2] * SEEDS + [0.0] * SEEDS * (FOLDS - 1), GROUPS)
    assert found.mean == pytest.approx(0.04) and found.p > 0.1 and found.low < 0 < found.high


def test_folds_count_alike_however_many_seeds_they_have():
    assert bootstrap_mean([1.0, 1.0, 1.0, 0.0], "aaab").mean == 0.5


def test_of_one_fold_the_seeds_are_drawn():
    values = [0.60, 0.62, 0.64, 0.66]
    found = bootstrap_mean(values, [0] * 4)
    assert (found.unit, found.units, found.p) == ("seed", 4, None)
    assert found.low < 0.62 and found.high > 0.64


def test_of_one_part_nothing_is_drawn():
    assert paired_bootstrap([0.1], [0]) == Interval(0.1, None, None, "seed", 1)


def test_three_folds_say_too_little_of_a_difference():
    found = paired_bootstrap([0.1, 0.2, 0.3, 0.1], [0, 0, 1, 2])
    assert (found.low, found.high, found.p, found.units) == (None, None, None, 3)
    assert bootstrap_mean([0.1, 0.2, 0.3], [0, 1, 2]).low < 0.2  # a mean's interval lies within its folds


def test_values_without_their_folds_are_refused():
    with pytest.raises(ValueError, match="3 values in 2 groups"):
        paired_bootstrap([1, 2, 3], [0, 1])


def test_the_same_every_time_and_with_another_seed_nearly():
    values = parts(np.random.default_rng(11), 1.0)
    first = paired_bootstrap(values, GROUPS)
    assert paired_bootstrap(values, GROUPS) == first
    other = paired_bootstrap(values, GROUPS, seed=1)
    assert other != first and other.low == pytest.approx(first.low, abs=0.003)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.mean = 0.0


def test_more_confidence_is_wider():
    values = parts(np.random.default_rng(12))
    narrow, wide = (bootstrap_mean(values, GROUPS, confidence=confidence) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_class_that_no_drawn_speaker_says_is_left_out_of_its_interval():
    matrices = speakers(np.random.default_rng(13), 8)
    matrices[1:, 2] = 0  # only the first speaker says class 2
    found = bootstrap_interval(matrices, lambda matrix: recalls(matrix)[..., 2])
    assert found.low == found.mean == found.high == recalls(matrices[0])[2]


LABELS = ["a", "b", "c", "d"]


def scores_of(names: str, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=30 * len(names))
    predicted = np.where(rng.random(len(true)) < 0.6, true, 0)
    return score(true, predicted, LABELS, list(names) * 30)


def test_scores_have_an_interval_each():
    scores = scores_of("uvwxyz", 14)
    found = score_intervals(scores)
    assert json.loads(canonical_json(found)) == found
    for name in ("wf1", "uar", "wa", "macro_f1"):
        assert found[name]["mean"] == pytest.approx(scores[name])
        assert found[name]["low"] < scores[name] < found[name]["high"]
    assert found["recall"]["b"]["low"] < scores["classes"]["b"]["recall"] < found["recall"]["b"]["high"]
    assert found["recall"]["d"]["mean"] is found["recall"]["d"]["low"] is None  # nobody says d


def test_labels_are_in_the_order_of_the_matrix_also_from_a_file():
    scores = json.loads(canonical_json(scores_of("uvwxyz", 14)))
    scores["classes"] = dict(reversed(scores["classes"].items()))
    assert score_intervals(scores) == score_intervals(scores_of("uvwxyz", 14))


def test_parts_are_pooled_by_speaker():
    folds = [scores_of("uv", 15), scores_of("wx", 16), scores_of("yz", 17)]
    pooled = pool(folds)
    assert list(pooled["speakers"]) == list("uvwxyz") and pooled["utterances"] == 180
    assert pooled["wa"] == pytest.approx(np.mean([part["wa"] for part in folds]))
    found = score_intervals(pooled)["wa"]
    assert (found["unit"], found["units"], found["mean"]) == ("speaker", 6, pooled["wa"])
    twice = score_intervals(pool([*folds, *folds]))["wa"]  # another seed's scores of the same speakers
    assert (twice["units"], twice["low"], twice["high"]) == (6, found["low"], found["high"])


def test_scores_of_an_older_version_have_none():
    scores = scores_of("uv", 18)
    del scores["speakers"]["u"]["confusion"]
    assert score_intervals(scores) == {} and pool([scores]) is None
