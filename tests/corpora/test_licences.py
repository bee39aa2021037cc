"""Terms of every corpus that can be named, and who is a woman or a man where the corpus says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tfser.corpora import CORPORA, emodb, load_corpus, ravdess
from tfser.corpora.licences import LICENCES, UNKNOWN, UNKNOWN_SEX, licence_of

MANIFESTS = {"emobox", "csv", "audformat"}


def test_every_corpus_has_its_terms_but_those_of_a_manifest_are_its_own():
    assert set(LICENCES) == set(CORPORA) - MANIFESTS
    assert all(licence_of(name) is UNKNOWN for name in (*MANIFESTS, None))
    assert UNKNOWN.commercial is None


def test_what_may_be_used_by_anyone_is_what_was_read_to_be_so():
    assert {name: licence.commercial for name, licence in LICENCES.items()} == {
        "emodb": True, "cremad": True, "ravdess": False, "iemocap": None, "iemocap-6": None, "m3ed": None,
        "daic-woz": None}


def test_every_text_is_there():
    for licence in (*LICENCES.values(), UNKNOWN):
        assert all(getattr(licence, field.name) for field in dataclasses.fields(licence)
                   if field.type == "str"), licence


@pytest.mark.parametrize(("name", "speakers"), [("emodb", emodb.SPEAKERS), ("ravdess", ravdess.ACTORS)])
def test_sexes_alternate_in_the_order_of_the_speakers(name, speakers):
    """So that folds mix them, as the corpora's files promise."""
    sexes = [licence_of(name).sex_of(speaker) for speaker in speakers]
    pairs = [set(sexes[index : index + 2]) for index in range(0, len(sexes), 2)]
    assert pairs == [{"women", "men"}] * (len(speakers) // 2)


def test_iemocap_names_its_actors_by_sex_and_the_others_do_not_tell():
    assert [licence_of("iemocap").sex_of(name) for name in ("Ses01F", "Ses01M")] == ["women", "men"]
    assert licence_of("cremad").sex_of("1001") == licence_of("csv").sex_of("me") == UNKNOWN_SEX


def test_the_sexes_of_the_real_speakers(shared_data: Path):
    for name, women in (("emodb", 5), ("ravdess", 9)):
        sexes = [licence_of(name).sex_of(speaker) for speaker in load_corpus(name, shared_data / name).speakers]
        assert sexes.count("women") == women == len(sexes) / 2
