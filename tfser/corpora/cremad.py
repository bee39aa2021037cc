"""CREMA-D: 7,442 clips, 91 actors, 6 emotions, 12 sentences, North American English.

File names such as ``1001_DFA_ANG_XX``: actor, sentence, emotion, level (LO, MD, HI or XX; one file has X).

References
----------
Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, IEEE
Transactions on Affective Computing 5(4), 2014, doi:10.1109/TAFFC.2014.2336244
"""

from __future__ import annotations

import re
from pathlib import Path

from tfser.corpora.manifest import Corpus, Published, Utterance, from_file_names, look_up

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
LABELS = tuple(EMOTIONS.values())
ACTORS = tuple(str(actor) for actor in range(1001, 1092))
# The paper has the totals. The emotions are a listing of others' that adds up to them; nobody here counted the files.
PUBLISHED = Published(7442, 91, {label: 1087 if label == "neutral" else 1271 for label in LABELS})
_NAME = re.compile(r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX?)")


def load(root: Path) -> Corpus:
    """Every CREMA-D clip below ``root``; raises as ``from_file_names`` and ``look_up`` do."""
    return from_file_names("cremad", LABELS, ACTORS, parse, root, PUBLISHED)


def parse(path: Path) -> Utterance | None:
    """The utterance that a file name describes; ``None`` if it does not have CREMA-D's form."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    label = look_up(EMOTIONS, match["emotion"], "emotion", path)
    return Utterance(path.stem, path, match["actor"], label, match["sentence"])
