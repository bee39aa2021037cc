"""How far a score can be trusted: intervals over speakers, and over the parts of a cross-validation.

Utterances of one speaker are alike, and so are trainings on one fold: neither is a draw of its own. So speakers
are resampled with all that they say, and folds with all of their seeds. Seeds are fixed: same input, same interval.

References
----------
Davison, Hinkley: Bootstrap Methods and Their Application, 1997, section 3.8 (whole clusters are resampled).
Hesterberg: What Teachers Should Know About the Bootstrap, 2015, doi:10.1080/00031305.2015.1089789 (the expanded
percentile interval). Hall: On Symmetric Bootstrap Confidence Intervals, J. R. Stat. Soc. B 50(1), 1988.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from tfser.training.metrics import SUMMARY, recalls

CONFIDENCE = 0.95
RESAMPLES = 9_999
#: With fewer, resampled speakers say next to nothing (of two there are three draws).
MIN_SPEAKERS = 5
#: Of three folds one draw in nine holds one fold alone: no error to measure by, and a bound without end.
MIN_PAIRED = 4

#: From matrices [shape=(..., classes, classes)] to scores [shape=(...)].
Metric = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Interval:
    """A score or a mean, and between what bounds it lies with ``confidence``.

    Parameters
    ----------
    mean : float
        The estimate itself.
    low, high : float, optional
        ``None`` where there is too little to resample, or the estimate is undefined.
    unit : str
        What was resampled: ``speaker``, ``fold`` or ``seed``. With ``recording`` the speakers stay as they are:
        the interval is about these speakers alone, and about nobody else.
    units : int
        How many of them there were.
    p : float, optional
        Two-sided, of the hypothesis that the mean is 0.
    """

    mean: float
    low: float | None
    high: float | None
    unit: Literal["speaker", "recording", "fold", "seed"]
    units: int
    confidence: float = CONFIDENCE
    p: float | None = None


def bootstrap_interval(matrices: np.ndarray, metric: Metric, *, confidence: float = CONFIDENCE,
                       resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Interval of a metric over the utterances of several speakers, pooled.

    From ``MIN_SPEAKERS`` speakers on, whole speakers are drawn with replacement, and the percentile interval is
    expanded to the width of Student's t for so few. Below, each speaker's recordings are drawn: see ``Interval.unit``.

    Parameters
    ----------
    matrices : np.ndarray [shape=(speakers, classes, classes)]
        Confusion matrix of each speaker, counts. They hold all that the metric depends on.
    metric : callable
        Such as ``tfser.training.metrics.uar``; NaN where it is undefined.
    """
    counts = np.asarray(matrices, np.int64)
    speakers, rng, tail = len(counts), np.random.default_rng(seed), (1 - confidence) / 2
    if speakers >= MIN_SPEAKERS:
        drawn = np.einsum("bs,sij->bij", rng.multinomial(speakers, np.full(speakers, 1 / speakers), resamples), counts)
        tail = _expanded(tail, speakers)
    else:
        drawn = sum(_resampled(matrix, resamples, rng) for matrix in counts)
    estimate, scores = float(metric(counts.sum(axis=0))), metric(drawn)
    unit: Any = "speaker" if speakers >= MIN_SPEAKERS else "recording"
    units = speakers if unit == "speaker" else int(counts.sum())
    if np.isnan(estimate):
        return Interval(estimate, None, None, unit, units, confidence)
    low, high = np.nanquantile(scores, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), unit, units, confidence)


def _resampled(matrix: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Confusion matrices of one speaker's recordings, drawn with replacement."""
    total = int(matrix.sum())
    return rng.multinomial(total, matrix.ravel() / total, resamples).reshape(resamples, *matrix.shape)


def _expanded(tail: float, units: int) -> float:
    """The smaller tail that gives a percentile interval of a mean the width of Student's t."""
    wider = np.sqrt(units / (units - 1)) * stats.t.ppf(tail, units - 1)
    return float(stats.norm.cdf(wider))


def score_intervals(scores: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """Intervals of one set of scores (``tfser.training.metrics.score``), in JSON types.

    Returns
    -------
    dict
        ``wf1``, ``uar``, ``wa``, ``macro_f1`` and, by label, ``recall``: ``mean``, ``low``, ``high``, ``unit``, ...
        Empty where the scores have no confusion matrix for each speaker, as those of older versions.
    """
    speakers = scores["speakers"].values()
    if not all("confusion" in entry for entry in speakers):
        return {}
    matrices = np.array([entry["confusion"] for entry in speakers], np.int64)
    found: dict[str, Any] = {name: to_json(bootstrap_interval(matrices, metric, seed=seed))
                             for name, metric in SUMMARY.items()}
    found["recall"] = {label: to_json(bootstrap_interval(matrices, _recall_of(index), seed=seed))
                       for index, label in enumerate(scores["labels"])}
    return found


def _recall_of(index: int) -> Metric:
    return lambda matrices: recalls(matrices)[..., index]


def bootstrap_mean(values: Sequence[float], groups: Sequence[Any], *, confidence: float = CONFIDENCE,
                   resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Interval of the mean over the parts of a cross-validation: a score a part, and the fold of each.

    The mean is that of the folds' means. Folds are drawn with replacement, then in each its seeds, and the percentile
    interval is expanded as that over speakers: with five folds the plain one is a third too narrow. With one fold,
    the seeds are what is drawn.
    """
    folds, unit = _folds(values, groups)
    means = np.array([fold.mean() for fold in folds])
    mean, units = float(means.mean()), len(folds)
    if units < 2:
        return Interval(mean, None, None, unit, units, confidence)
    drawn = _drawn_means(folds, resamples, seed).mean(axis=1)
    tail = _expanded((1 - confidence) / 2, units)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), unit, units, confidence)


def paired_bootstrap(differences: Sequence[float], groups: Sequence[Any], *, confidence: float = CONFIDENCE,
                     resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Mean of paired differences, drawn as in ``bootstrap_mean``, with its interval and its two-sided p.

    A symmetric bootstrap-t: how far a drawn mean is from the mean, in units of its own standard error over folds.
    ``p`` is the share of draws that are as far as the mean is from 0; so it is below ``1 - confidence`` where the
    interval leaves out 0, and never below ``1 / (resamples + 1)``. It holds its level with five folds, whether folds
    or seeds differ more, and pays for it: of effects that Student's t would call p < 0.01 it misses a third. With
    fewer than ``MIN_PAIRED`` folds there is neither interval nor p.

    Parameters
    ----------
    differences : sequence of float
        One a part: the score with a change less the score without, same fold, same seed.
    groups : sequence
        The fold of each part.
    """
    folds, unit = _folds(differences, groups)
    means = np.array([fold.mean() for fold in folds])
    mean, units = float(means.mean()), len(folds)
    if units < MIN_PAIRED:
        return Interval(mean, None, None, unit, units, confidence)
    drawn = _drawn_means(folds, resamples, seed)
    distance = np.abs(drawn.mean(axis=1) - mean) / _standard_error(drawn)
    error = float(_standard_error(means))
    reach = float(np.quantile(distance, confidence)) * error
    p = float((1 + np.count_nonzero(distance >= abs(mean) / error)) / (1 + resamples))
    return Interval(mean, mean - reach, mean + reach, unit, units, confidence, p)


def _folds(values: Sequence[float], groups: Sequence[Any]) -> tuple[list[np.ndarray], Any]:
    """The values of each fold, in the order of the folds' first values, and what is drawn.

    Where there is one fold alone, each of its seeds stands for itself.
    """
    if len(values) != len(groups) or not len(values):
        raise ValueError(f"{len(values)} values in {len(groups)} groups: expected one group for each, and one at least")
    by_fold: dict[Any, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        by_fold.setdefault(group, []).append(float(value))
    if len(by_fold) == 1:
        return [np.array([float(value)]) for value in values], "seed"
    return [np.array(fold) for fold in by_fold.values()], "fold"


def _drawn_means(folds: Sequence[np.ndarray], resamples: int, seed: int) -> np.ndarray:
    """Means of drawn folds, of drawn seeds each: [shape=(resamples, folds)]."""
    rng = np.random.default_rng(seed)
    picked = rng.integers(len(folds), size=(resamples, len(folds)))
    drawn = np.empty(picked.shape)
    for index, fold in enumerate(folds):
        here = picked == index
        seeds = rng.integers(len(fold), size=(int(here.sum()), len(fold)))
        drawn[here] = fold[seeds].mean(axis=1)
    return drawn


def _standard_error(means: np.ndarray) -> np.ndarray:
    """Of the mean over the last axis; not 0, so that equal values are a distance of 0 from their mean."""
    return np.maximum(means.std(axis=-1, ddof=1) / np.sqrt(means.shape[-1]), 1e-12)


def to_json(interval: Interval) -> dict[str, Any]:
    """An interval as plain JSON types; an undefined mean is ``None``."""
    mean = None if np.isnan(interval.mean) else interval.mean
    return {"mean": mean, "low": interval.low, "high": interval.high, "unit": interval.unit, "units": interval.units,
            "confidence": interval.confidence, "p": interval.p}
