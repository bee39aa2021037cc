"""A tiny corpus and its features."""

from __future__ import annotations

import pytest
from tiny_corpus import make_corpus

from tfser.corpora import load_corpus
from tfser.features.dataset import corpus_features
from tfser.spec import FeatureSpec


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return load_corpus("emodb", make_corpus(tmp_path_factory.mktemp("corpus")))


@pytest.fixture(scope="module")
def data(corpus):
    return corpus_features(corpus, FeatureSpec())
