"""Berlin Database of Emotional Speech (EMO-DB): 535 utterances, 10 actors, 7 emotions, German.

File names such as ``03a01Fa``: speaker 03, text a01, emotion F, version a.

References
----------
Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: A Database of German Emotional Speech, Interspeech 2005.
"""

from __future__ import annotations

import re
from pathlib import Path

from tfser.corpora.manifest import Corpus, Published, Utterance, from_file_names, look_up

# The letters are initials of the German words (Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral).
EMOTIONS = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "N": "neutral",
            "T": "sadness"}
LABELS = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
MEN = frozenset({"03", "10", "11", "12", "15"})
# Men and women alternate: consecutive pairs have both.
SPEAKERS = ("03", "08", "10", "09", "11", "13", "12", "14", "15", "16")
PUBLISHED = Published(535, 10, {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79,
                                "sadness": 62})
_NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[a-z]\d\d)(?P<emotion>[A-Z])[a-z]")


def load(root: Path) -> Corpus:
    """Every EMO-DB utterance below ``root``; raises as ``from_file_names`` and ``look_up`` do."""
    return from_file_names("emodb", LABELS, SPEAKERS, parse, root, PUBLISHED)


def parse(path: Path) -> Utterance | None:
    """The utterance that a file name describes; ``None`` if it does not have EMO-DB's form."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    label = look_up(EMOTIONS, match["emotion"], "emotion", path)
    return Utterance(path.stem, path, match["speaker"], label, match["text"])
