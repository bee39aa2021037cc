"""What a study's records say: the paired differences of each variant from the same without HRF."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfser.training.intervals import Interval, bootstrap_mean, paired_bootstrap
from tfser.training.study import DONE, FAILED
from tfser.training.sweep import HRF, Part, Variant

Record = Mapping[str, Any]

SCORES = ("wf1", "uar")


@dataclass(frozen=True)
class Level:
    """How one variant scores: its test scores over the parts that are done, and what is deployed of it.

    ``planned``, ``done`` and ``failed`` count parts. ``speakers``: mean UAR of each test speaker over the seeds.
    ``deployed_bytes`` of the int8 file and ``deployed_parameters``: ``None`` where no part measured them.
    """

    variant: Variant
    planned: int
    done: int
    failed: int
    wf1: Interval | None
    speakers: Mapping[str, float]
    deployed_bytes: int | None
    deployed_parameters: int | None


@dataclass(frozen=True)
class Comparison:
    """One variant less the same without HRF, over the pairs (same fold, same seed) of which both are done.

    ``ahead`` of the ``pairs`` have the higher WF1 with the variant. ``failed`` pairs lack a part that failed;
    ``planned`` are all. ``validation_wf1``: the mean difference on the validation speakers, ``None`` without a pair.
    ``p_holm`` is p, corrected for all comparisons with HRF in the study (Holm 1979).
    """

    variant: Variant
    planned: int
    pairs: int
    failed: int
    ahead: int
    equal: int
    differences: Mapping[str, Interval]
    validation_wf1: float | None
    p_holm: float | None = None

    @property
    def wf1(self) -> Interval | None:
        """The difference in WF1, ``None`` without a pair."""
        return self.differences.get("wf1")


@dataclass(frozen=True)
class Best:
    """The setting of a backbone on a corpus that helps most on the validation speakers, of ``settings`` with HRF."""

    comparison: Comparison
    settings: int


def levels(planned: Iterable[Part], records: Mapping[Part, Record]) -> list[Level]:
    """The level of every variant of the study, sorted."""
    return [_level(variant, parts, records) for variant, parts in _by_variant(planned).items()]


def comparisons(planned: Iterable[Part], records: Mapping[Part, Record]) -> list[Comparison]:
    """The comparison of every variant with HRF, and of the low-rank control, whose partner is planned; sorted."""
    parts = _by_variant(planned)
    found = [_compare(variant, own, set(parts[variant.plain]), records) for variant, own in parts.items()
             if variant.ratio and variant.plain in parts]
    return _with_holm(found)


def best_settings(found: Iterable[Comparison]) -> list[Best]:
    """For each corpus and backbone the setting with the largest ``validation_wf1``, of those whose pairs are all done.

    The low-rank control is no candidate. What helps on the test speakers has no say, so that their difference is not
    that of the luckiest setting. But the validation speakers of a fold are tested in another fold.
    """
    candidates: dict[Variant, list[Comparison]] = {}
    for entry in found:
        if entry.variant.kind == HRF and entry.validation_wf1 is not None and entry.pairs == entry.planned:
            candidates.setdefault(entry.variant.plain, []).append(entry)
    return [Best(max(own, key=lambda entry: entry.validation_wf1 or 0.0), len(own)) for own in candidates.values()]


def _by_variant(parts: Iterable[Part]) -> dict[Variant, list[Part]]:
    found: dict[Variant, list[Part]] = {}
    for part in sorted(parts):
        found.setdefault(part.variant, []).append(part)
    return found


def _level(variant: Variant, parts: Sequence[Part], records: Mapping[Part, Record]) -> Level:
    status = [records[part]["status"] for part in parts if part in records]
    done = [part for part in parts if part in records and records[part]["status"] == DONE]
    results = [records[part]["result"] for part in done]
    wf1 = bootstrap_mean([result["test"]["wf1"] for result in results], [part.fold for part in done]) if done else None
    speakers: dict[str, list[float]] = {}
    for result in results:
        for speaker, entry in result["test"]["speakers"].items():
            speakers.setdefault(speaker, []).append(entry["uar"])
    deployed = [result["deployed"] for result in results if result["deployed"]]
    # Biases that happen to be equal are stored once, so trainings differ by some bytes: the largest counts.
    return Level(variant, len(parts), len(done), status.count(FAILED), wf1,
                 {speaker: sum(uars) / len(uars) for speaker, uars in sorted(speakers.items())},
                 max((entry["bytes"] for entry in deployed), default=None),
                 max((entry["parameters"] for entry in deployed), default=None))


def _compare(variant: Variant, own: Sequence[Part], partners: set[Part], records: Mapping[Part, Record]) -> Comparison:
    paired = [(part, partner) for part in own
              if (partner := dataclasses.replace(part, variant=variant.plain)) in partners]
    states = [[records[part]["status"] if part in records else None for part in pair] for pair in paired]
    complete = [pair for pair, state in zip(paired, states, strict=True) if state == [DONE, DONE]]
    values = {score: [_score(records[part], score) - _score(records[partner], score) for part, partner in complete]
              for score in SCORES}
    watched = [_score(records[part], "wf1", "validation") - _score(records[partner], "wf1", "validation")
               for part, partner in complete]
    folds = [part.fold for part, _ in complete]
    found = {score: paired_bootstrap(differences, folds) for score, differences in values.items() if differences}
    return Comparison(variant, len(paired), len(complete), sum(FAILED in state for state in states),
                      sum(value > 0 for value in values["wf1"]), sum(value == 0 for value in values["wf1"]), found,
                      sum(watched) / len(watched) if watched else None)


def _score(record: Record, name: str, role: str = "test") -> float:
    return float(record["result"][role][name])


def _with_holm(found: Sequence[Comparison]) -> list[Comparison]:
    """Holm's step-down correction over the comparisons with HRF; the control is no candidate."""
    candidates = sorted((comparison.wf1.p, index) for index, comparison in enumerate(found)
                        if comparison.variant.kind == HRF and comparison.wf1 and comparison.wf1.p is not None)
    corrected: dict[int, float] = {}
    highest = 0.0
    for rank, (p, index) in enumerate(candidates):
        highest = max(highest, min(1.0, p * (len(candidates) - rank)))
        corrected[index] = highest
    return [dataclasses.replace(comparison, p_holm=corrected.get(index)) for index, comparison in enumerate(found)]
