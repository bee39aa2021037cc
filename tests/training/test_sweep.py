"""The grid of a study: every part once, in an order that is balanced whenever it stops, each with one key."""

from __future__ import annotations

import dataclasses
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tfser.corpora.splits import Split
from tfser.spec import FeatureSpec, HrfSpec, ModelSpec, TrainSpec
from tfser.training.run import Training
from tfser.training.sweep import Part, Pool, Task, Variant, grid, parts_of, run_tasks

SPLIT = Split("emodb", 3, 0, ("03",), ("08",), ("10",), "f" * 64)


def task(seed: int = 0, *, hrf: HrfSpec | None = None, deploy: bool = False, root: str = "corpus") -> Task:
    training = Training(ModelSpec("conformer", ("anger", "fear"), hrf=hrf), FeatureSpec(), TrainSpec(seed=seed), SPLIT)
    return Task(Part(Variant("emodb", "conformer"), 0, seed), training, Path(root), deploy)


def variants(**changes):
    given = {"corpora": ["emodb"], "archs": ["conformer", "speechformer"], "sites": lambda arch: ["ffn", "conv"],
             "ratios": [0, 0.5, 2, 4], "depths": [2, 3], **changes}
    return list(grid(**given))


# --- the grid -------------------------------------------------------------------------------------------
def test_every_variant_once_and_none_without_sites():
    found = variants()
    assert len(found) == len(set(found)) == 2 * (1 + 2 * 2 * 3)
    assert [variant for variant in found if not variant.ratio] == [
        Variant("emodb", "conformer"), Variant("emodb", "speechformer")]
    assert {variant.kind for variant in found if variant.ratio == 0.5} == {"low-rank"}
    assert {variant.kind for variant in found if variant.ratio > 1} == {"hrf"}
    assert {variant.plain for variant in found if variant.arch == "conformer"} == {Variant("emodb", "conformer")}


def test_names_differ():
    names = {str(Part(variant, fold, seed)) for variant in variants() for fold in (0, 1) for seed in (0, 1)}
    assert len(names) == 4 * len(variants())
    assert "emodb-conformer-ffn-low-rank-x0.5-depth2-fold0-seed1" in names


def test_the_order_is_balanced_wherever_it_stops():
    found = variants(corpora=["emodb", "ravdess"])
    parts = parts_of(found, lambda corpus: range(5 if corpus == "emodb" else 6), [3, 4])
    assert len(set(parts)) == len(parts) == 2 * sum(5 if v.corpus == "emodb" else 6 for v in found)
    main = [variant for variant in found if variant.depth < 3]
    first = parts[: len(main)]
    assert [part.variant for part in first] == main and {(part.fold, part.seed) for part in first} == {(0, 3)}
    assert [part.seed for part in parts] == sorted(part.seed for part in parts)
    deep = [index for index, part in enumerate(parts) if part.variant.depth == 3]
    shallow = [index for index, part in enumerate(parts) if part.variant.depth < 3 and part.seed == 3]
    assert max(shallow) < min(deep)  # deeper factorisations wait for a whole seed of the main ones
    for stop in range(1, len(main) * 5):
        counts = [sum(part.variant == variant for part in parts[:stop]) for variant in main
                  if variant.corpus == "emodb"]
        assert max(counts) - min(counts) <= 1


# --- keys -----------------------------------------------------------------------------------------------
def test_a_key_follows_from_the_whole_configuration():
    same = [task(), task(root="elsewhere"), task()]
    assert len({one.key for one in same}) == 1
    other = [task(), task(1), task(hrf=HrfSpec()), task(hrf=HrfSpec(0.5)), task(deploy=True)]
    training = dataclasses.replace(task().training, split=dataclasses.replace(SPLIT, fingerprint="0" * 64))
    other.append(dataclasses.replace(task(), training=training))
    assert len({one.key for one in other}) == len(other)


# --- the loop -------------------------------------------------------------------------------------------
def test_all_tasks_are_run_once_in_order_and_no_more_at_once_than_there_are_places():
    tasks, records, at_once, running = [task(seed) for seed in range(12)], [], [], set()

    def work(one: Task) -> dict:
        running.add(one.part.seed)
        at_once.append(len(running))
        time.sleep(0.005)
        running.remove(one.part.seed)
        return {"seed": one.part.seed}

    with ThreadPoolExecutor(8) as executor:
        run_tasks(tasks, Pool(executor, lambda: 2), work, records.append)
    assert sorted(record["seed"] for record in records) == list(range(12)) and max(at_once) <= 2
    assert all(abs(record["seed"] - place) <= 2 for place, record in enumerate(records))


def test_none_is_begun_after_the_time_and_those_begun_are_kept():
    records = []
    with ThreadPoolExecutor(1) as executor:
        run_tasks([task(seed) for seed in range(50)], Pool(executor, lambda: 1),
                  lambda one: time.sleep(0.02) or {"seed": one.part.seed}, records.append, time_limit_s=0.1)
        assert 1 <= len(records) < 50 and [record["seed"] for record in records] == list(range(len(records)))
        run_tasks([task()], Pool(executor, lambda: 1), lambda one: {}, records.append, time_limit_s=0)
    assert {} not in records


def test_an_error_ends_the_run_after_what_came_with_it_is_kept():
    records, counter = [], itertools.count()

    def work(_: Task) -> dict:
        if (place := next(counter)) == 3:
            raise MemoryError("out")
        return {"place": place}

    with ThreadPoolExecutor(1) as executor, pytest.raises(MemoryError):
        run_tasks([task(seed) for seed in range(9)], Pool(executor, lambda: 1), work, records.append)
    assert [record["place"] for record in records] == [0, 1, 2]
