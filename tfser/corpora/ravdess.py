"""RAVDESS, speech part: 24 actors, 8 emotions, 2 statements, North American English.

File names such as ``03-01-06-01-02-01-12``: modality 03 (audio only), channel 01 (speech), emotion,
intensity, statement, repetition, actor (odd are men). Video (modality 01, 02) and song (channel 02)
are skipped.

References
----------
Livingstone, Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 13(5), 2018,
doi:10.1371/journal.pone.0196391
"""

from __future__ import annotations

import re
from pathlib import Path

from tfser.corpora.manifest import Corpus, Published, Utterance, from_file_names, look_up

EMOTIONS = {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fearful",
            "07": "disgust", "08": "surprised"}
LABELS = tuple(EMOTIONS.values())
# In numeric order the sexes alternate already.
ACTORS = tuple(f"{actor:02d}" for actor in range(1, 25))
PUBLISHED = Published(1440, 24, {label: 96 if label == "neutral" else 192 for label in LABELS})
_AUDIO_ONLY, _SPEECH = "03", "01"
_NAME = re.compile(r"(?P<modality>\d\d)-(?P<channel>\d\d)-(?P<emotion>\d\d)-\d\d"
                   r"-(?P<statement>\d\d)-\d\d-(?P<actor>\d\d)")


def load(root: Path) -> Corpus:
    """Every RAVDESS recording of speech below ``root``; raises as ``from_file_names`` and ``look_up`` do."""
    return from_file_names("ravdess", LABELS, ACTORS, parse, root, PUBLISHED)


def parse(path: Path) -> Utterance | None:
    """The utterance that a file name describes; ``None`` if it is video, song, or not of RAVDESS's form."""
    match = _NAME.fullmatch(path.stem)
    if match is None or (match["modality"], match["channel"]) != (_AUDIO_ONLY, _SPEECH):
        return None
    label = look_up(EMOTIONS, match["emotion"], "emotion", path)
    return Utterance(path.stem, path, match["actor"], label, match["statement"])
