"""One part of a study, in a worker process: train, score, and measure what would be deployed."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfser.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus
    from tfser.corpora.splits import Split
    from tfser.features.dataset import FeatureSet
    from tfser.spec import FeatureSpec
    from tfser.training.sweep import Task

# TensorFlow's seeds are the process's: a worker with several threads runs one part after another.
_ONE_AT_A_TIME = threading.Lock()


def run_part(task: Task) -> dict[str, Any]:
    """The record of a part; a training that diverges is a record too.

    Raises
    ------
    InputError
        The recordings below the root are not those that the study was planned with.
    """
    # One thread each: faster in sum than sharing, and the weights do not depend on the machine's cores.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    from tfser.keras import keras
    from tfser.training.study import record_of

    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="tfser-bench-") as scratch:
        begun = time.monotonic()
        result, error = None, None
        data = _data(task.part.variant.corpus, task.root, task.training.features, task.training.split)
        try:
            result = _result(task, data, Path(scratch, "training"))
        except CheckFailed as failure:
            error = str(failure)
        keras.backend.clear_session()  # or every part's graphs stay for the life of the process
        return record_of(task, result=result, error=error, seconds=round(time.monotonic() - begun, 2))


def _result(task: Task, data: FeatureSet, folder: Path) -> dict[str, Any]:
    from tfser.cli.train import hear_variants, train_into

    heard = hear_variants(data, _corpus(task.part.variant.corpus, task.root), task.training)
    checkpoint = train_into(folder, task.training, heard, resume=False, on_epoch=None)
    deployed = _deployed(folder, task, data) if task.deploy else None
    return {**checkpoint.metrics, "deployed": deployed}


def _deployed(folder: Path, task: Task, data: FeatureSet) -> dict[str, Any]:
    """The int8 model: its size, what merging changed, its scores and its agreement on the test speakers."""
    from tfser.cli.int8_scores import int8_against_float
    from tfser.convert.bundle import make_bundle
    from tfser.training.data import roles_of, select

    bundle = make_bundle(folder)
    clips = select(data, roles_of(data, task.training.split) == "test", bundle.checkpoint.features)
    scored = int8_against_float(bundle, clips)
    return {"bytes": len(bundle.content), "parameters": bundle.certificate["parameters_after"],
            "trained_parameters": bundle.certificate["parameters_before"],
            "merge_max_abs_error": bundle.certificate["max_abs_error"],
            "same_label": scored["same_label"] / scored["utterances"], "test": scored["int8"]}


def _data(name: str, root: Path, features: FeatureSpec, split: Split) -> FeatureSet:
    from tfser.corpora.splits import split_again

    corpus = _corpus(name, root)
    here = split_again(corpus, split.record()).fingerprint
    if here != split.fingerprint:
        raise InputError("TF-BENCH-11", f"a copy of {name} at {str(root)!r} that is not the one of the study: its "
                         f"split has the fingerprint {here[:12]}", expected=split.fingerprint[:12],
                         fix="give every worker the same copy of the corpus at the same path")
    return _features(name, root, features)


@cache
def _corpus(name: str, root: Path) -> Corpus:
    from tfser.corpora import load_corpus

    return load_corpus(name, root)


@cache
def _features(name: str, root: Path, features: FeatureSpec) -> FeatureSet:
    """Read once a process."""
    from tfser.cli.train import read_features

    return read_features(_corpus(name, root), features)
