"""Trainings that learn from other checkpoints: what they take over, what they record, what they refuse."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from stopped import Stop

from tfser.corpora.splits import make_split
from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive
from tfser.models.build import build_model
from tfser.models.checkpoint import KIND, get_weights, read_checkpoint
from tfser.spec import FeatureSpec, HrfSpec, ModelSpec, TrainSpec
from tfser.training.lineage import Lineage, begin_from, check_lineage, fitting, read_lineage
from tfser.training.run import Training, train


@pytest.fixture(scope="module")
def split(corpus):
    return make_split(corpus, folds=4, fold=1)  # tests 08, validates 10, trains 09 and 03


@pytest.fixture(scope="module")
def teacher(corpus, data, split, tmp_path_factory):
    """A trained checkpoint of another width than the student's."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    model = ModelSpec("convtransformer", corpus.labels, size="base")
    train(Training(model, FeatureSpec(), TrainSpec(epochs=1, batch_size=8), split), data, out, resume=False,
          on_epoch=lambda entry: None)
    return out / "checkpoint.npz"


@pytest.fixture(scope="module")
def student(corpus, split):
    model = ModelSpec("convtransformer", corpus.labels, hrf=HrfSpec(2, 2, ("ffn1",)))
    return Training(model, FeatureSpec(), TrainSpec(epochs=2, batch_size=8, feature_weight=1.0), split)


def changed(path, to, *, weights=None, **sections):
    """A copy of a checkpoint with other sections."""
    document, arrays = read_archive(path, KIND)
    document = {name: value for name, value in document.items() if name not in ("kind", "schema_version")}
    for name, value in sections.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    write_archive(to, KIND, document, arrays if weights is None else weights)
    return to


def of(training, teachers=(), start=None):
    return dataclasses.replace(training, lineage=read_lineage(teachers, start))


@pytest.fixture(scope="module")
def whole(student, teacher, data, tmp_path_factory):
    """A student that was never interrupted."""
    out = tmp_path_factory.mktemp("runs") / "student"
    train(of(student, [teacher]), data, out, resume=False, on_epoch=lambda entry: None)
    return out


def test_an_interrupted_student_ends_in_the_same_bytes_and_with_no_other_teacher(
        student, teacher, data, whole, tmp_path):
    """Its projection has to come back too."""
    def stop(entry):
        raise Stop

    out = tmp_path / "run"
    with pytest.raises(Stop):
        train(of(student, [teacher]), data, out, resume=False, on_epoch=stop)
    other = changed(teacher, tmp_path / "other.npz", metrics={"test": {}})
    for lineage in ([other], [teacher, teacher], []):
        with pytest.raises(InputError, match=r"TF-TRAIN-03.*parents"):
            train(of(student, lineage), data, out, resume=True, on_epoch=lambda entry: None)
    train(of(student, [teacher]), data, out, resume=True, on_epoch=lambda entry: None)
    assert {path.name: path.read_bytes() for path in out.iterdir()} \
        == {path.name: path.read_bytes() for path in whole.iterdir()}


def test_a_finished_student_is_of_its_teacher_alone(student, teacher, data, whole, tmp_path):
    other = changed(teacher, tmp_path / "other.npz", metrics={"test": {}})
    with pytest.raises(InputError, match=r"TF-TRAIN-03.*parents"):
        train(of(student, [other]), data, whole, resume=True, on_epoch=lambda entry: None)


def test_the_checkpoint_says_who_taught_it_and_whom_they_had_heard(teacher, whole, split):
    recorded = read_checkpoint(whole / "checkpoint.npz")[0].parents["teachers"]
    assert [entry["corpus"] for entry in recorded] == ["emodb"]
    assert recorded[0]["heard"] == list(split.train) and recorded[0]["sha256"] == read_lineage(
        [teacher], None).teachers[0].sha256
    assert str(teacher.parent) not in json.dumps(recorded)


def test_a_checkpoint_from_before_there_were_parents(teacher, tmp_path):
    document, arrays = read_archive(teacher, KIND)
    old = {name: value for name, value in document.items() if name not in ("kind", "schema_version", "parents")}
    write_archive(tmp_path / "old.npz", KIND, old, arrays)
    assert read_checkpoint(tmp_path / "old.npz")[0] == read_checkpoint(teacher)[0]


@pytest.mark.parametrize("role", ["teachers", "start"])
@pytest.mark.parametrize(("name", "leaked"), [("validation", "10"), ("test", "08")])
def test_a_parent_that_has_heard_those_who_are_scored(student, teacher, tmp_path, role, name, leaked):
    path = changed(teacher, tmp_path / "x.npz", split={"train": ["11", leaked], "fingerprint": "another"})
    given = {"teachers": [path]} if role == "teachers" else {"start": path}
    with pytest.raises(InputError, match=rf"TF-TEACH-04: leak.* was trained on {leaked} of emodb"):
        of(student, **given)


def test_a_grandparent_leaks_too(student, teacher, tmp_path):
    """A model that learnt from one that has heard the test speakers has heard of them."""
    clean = read_lineage([teacher], None).teachers[0].record()
    guilty = {**clean, "heard": ["08"], "fingerprint": "another"}
    for parents in ({"teachers": [clean, guilty]}, {"start": guilty},
                    {"start": {**clean, "parents": {"teachers": [guilty]}}}):
        with pytest.raises(InputError, match="TF-TEACH-04"):
            of(student, [changed(teacher, tmp_path / "x.npz", parents=parents)])
    of(student, [changed(teacher, tmp_path / "x.npz", parents={"teachers": [clean]})])


@pytest.mark.parametrize(("corpus_name", "refused"), [
    ("ravdess", False),  # its actor 08 is someone else
    ("csv", True),  # who may be anyone
])
def test_speakers_of_another_corpus(student, teacher, tmp_path, corpus_name, refused):
    path = changed(teacher, tmp_path / "x.npz", split={"corpus": corpus_name, "train": ["08"], "fingerprint": "b"})
    if refused:
        with pytest.raises(InputError, match="TF-TEACH-04"):
            of(student, [path])
    else:
        of(student, [path])


def test_two_names_of_one_corpus(student, teacher, tmp_path):
    six = dataclasses.replace(student.split, corpus="iemocap-6", test=("Ses01F",))
    parent = read_lineage([], changed(teacher, tmp_path / "x.npz", split={"corpus": "iemocap", "train": ["Ses01F"]}))
    with pytest.raises(InputError, match="TF-TEACH-04"):
        check_lineage(parent, student.model, student.features, dataclasses.replace(six, fingerprint="b"))


def test_speakers_who_cross_by_request(student, teacher, split):
    """Then only the same split is known to have the same recordings in training."""
    crossing = dataclasses.replace(split, train=("08", "03"), test=("08",), speaker_disjoint=False)
    check_lineage(read_lineage([teacher], None), student.model, student.features, crossing)
    with pytest.raises(InputError, match="TF-TEACH-04"):
        check_lineage(read_lineage([teacher], None), student.model, student.features,
                      dataclasses.replace(crossing, test=("03",), fingerprint="b"))


@pytest.mark.parametrize(("sections", "code"), [
    ({"split": None}, "TF-TEACH-03"),
    ({"model": {"labels": ["a", "b", "c", "d", "e", "f", "g"]}}, "TF-TEACH-01"),
    ({"features": {"hop_samples": 160}}, "TF-TEACH-02.*hop_samples 160"),
])
def test_teachers_that_do_not_fit(student, teacher, tmp_path, sections, code):
    with pytest.raises(InputError, match=f"{code}"):
        of(student, [changed(teacher, tmp_path / "x.npz", **sections)])


def test_a_teacher_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="TF-CKPT-01"):
        read_lineage([tmp_path / "none.npz"], None)


def test_a_start_of_the_same_labels_is_whole(teacher, corpus):
    parent = read_lineage([], teacher).start
    model = build_model(parent.checkpoint.model)
    begin_from(model, corpus.labels, parent)
    assert get_weights(model).keys() == parent.weights.keys() == fitting(model, corpus.labels, parent).keys()
    assert all(np.array_equal(value, parent.weights[name]) for name, value in get_weights(model).items())


def test_a_start_of_other_labels_leaves_the_classifier_new(teacher, corpus, student):
    """As many labels in another order are other labels; with HRF, the layers before and after are new too."""
    parent = read_lineage([], teacher).start
    labels = tuple(reversed(corpus.labels))
    base = ModelSpec("convtransformer", labels, size="base", hrf=HrfSpec(2, 2, ("ffn1",)))
    model = build_model(base)
    before = get_weights(model)
    begin_from(model, labels, parent)
    kept = {name for name, value in get_weights(model).items() if np.array_equal(value, before[name])
            and not np.array_equal(value, parent.weights.get(name))}
    assert {"head/logits/kernel", "block1/ffn1/expand/kernel", "block1/ffn1/expand/hrf1/kernel"} <= kept
    assert "frontend/conv1/kernel" not in kept and "block4/attention/query/kernel" not in kept
    assert not kept & fitting(model, labels, parent).keys()


def test_a_start_of_another_size_keeps_nothing_that_does_not_fit(student, teacher, tmp_path):
    parent = read_lineage([], changed(teacher, tmp_path / "x.npz", weights={"head/other": np.zeros(3, np.float32)}))
    with pytest.raises(InputError, match="TF-TEACH-05"):
        begin_from(build_model(student.model), student.model.labels, parent.start)


def test_a_training_begins_where_its_start_ended(student, teacher, data, tmp_path):
    """At a learning rate of nearly nothing, the weights that fit are still the parent's after an epoch."""
    model = dataclasses.replace(student.model, size="base", hrf=None)
    recipe = dataclasses.replace(student.recipe, epochs=1, learning_rate=1e-9)
    training = dataclasses.replace(student, model=model, recipe=recipe, lineage=read_lineage([], teacher))
    result = train(training, data, tmp_path / "run", resume=False, on_epoch=lambda entry: None)
    weights, parent = read_checkpoint(tmp_path / "run" / "checkpoint.npz")[1], training.lineage.start
    for name in ("block1/ffn1/expand/kernel", "head/logits/kernel"):
        np.testing.assert_allclose(weights[name], parent.weights[name], atol=1e-6)
    assert result.parents == {"start": parent.record()} and isinstance(training.lineage, Lineage)
