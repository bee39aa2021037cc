"""DAIC-WOZ: 189 clinical interviews led by an animated interviewer, Ellie; depressed or not (PHQ-8), English.

``XXX_P/XXX_AUDIO.wav`` and ``XXX_P/XXX_TRANSCRIPT.csv`` (tabs: start_time, stop_time, speaker, value) are session
XXX; ``{train,dev,test}_split_Depression_AVEC2017.csv`` say which sessions each part has, and the labels of the
test part are in ``full_test_split.csv``. An utterance is a turn of the participant, who is voted on as one group.

References
----------
Gratch et al.: The Distress Analysis Interview Corpus of human and computer interviews, LREC 2014.
Interruptions and shifted transcripts: Bailey, Plumbley: Gender Bias in Depression Detection Using Audio Features,
EUSIPCO 2021 (github.com/adbailey1/DepAudioNet_reproduction).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfser.corpora.annotation import audio_by_stem, collect, one_of, read_table, seconds
from tfser.corpora.manifest import Corpus, Part, Published, Skipped, Utterance
from tfser.errors import InputError

LABELS = {"0": "not-depressed", "1": "depressed"}
DEPRESSED_SCORE = 10
PARTS: dict[str, Part] = {"train_split_Depression_AVEC2017.csv": "train",
                          "dev_split_Depression_AVEC2017.csv": "validation", "full_test_split.csv": "test"}
TEST_SESSIONS = "test_split_Depression_AVEC2017.csv"
EXCLUDED = frozenset({"342", "394", "398", "460"})
#: Someone comes in, or a telephone rings: seconds that are left out.
INTERRUPTIONS_S = {"373": (395.0, 428.0), "444": (286.0, 387.0)}
#: Seconds that the audio is behind the transcript.
SHIFTS_S = {"318": 34.319917, "321": 3.8379167, "341": 6.1892, "362": 16.8582}
#: "um" and "yeah" say nothing, and there are thousands.
MIN_TURN_S = 1.0
# Parts: AVEC 2017. Labels over the three parts (score of 10 or more: depressed): others' listing, not the authors'.
PUBLISHED = Published(None, 189, {"not-depressed": 133, "depressed": 56}, {"train": 107, "validation": 35, "test": 47},
                      unit="groups")
_COLUMNS = ("start_time", "stop_time", "speaker", "value")
_SPEAKERS = ("Ellie", "Participant")
_NO_SPEECH = re.compile(r"[<\[]s[iy]nch?(?:ing)?\W*|scrubbed_entry", re.IGNORECASE)


def load(root: Path) -> Corpus:
    """Every turn of every labelled participant, in the published parts.

    Raises
    ------
    InputError
        A table is missing or has other columns, a session is in two parts or has a label other than 0 and 1, or
        a transcript is of another form.
    """
    audio = audio_by_stem(root)
    tables = {path.name.lower(): path for path in sorted(root.rglob("*.csv")) if not path.name.startswith(".")}
    found: list[Utterance | Skipped] = []
    notes: list[str] = []
    labels, parts = _read_labels(root, tables, notes)
    found += [Skipped(session, "unlabelled", "session of the test part without a label")
              for session in sorted(_test_sessions(tables) - set(labels))]
    for session, label in labels.items():
        found += _session(root, session, label, parts[session], tables, audio)
    known = {*labels, *_test_sessions(tables)}
    for stem in sorted(audio):
        session, _, rest = stem.partition("_")
        if rest == "AUDIO" and session not in known:
            found.append(Skipped(stem, "excluded", "session excluded by the corpus") if session in EXCLUDED else
                         Skipped(stem, "unlabelled", "session in no part"))
    return collect("daic-woz", LABELS, found, published=PUBLISHED, notes=notes)


def _read_labels(root: Path, tables: Mapping[str, Path], notes: list[str]) -> tuple[dict[str, str], dict[str, Part]]:
    """Label and part of each session; a score that contradicts its label is noted, and the label kept."""
    labels: dict[str, str] = {}
    parts: dict[str, Part] = {}
    for name, part in PARTS.items():
        path = tables.get(name.lower(), root / name)
        if part == "test" and not path.is_file() and _test_sessions(tables):
            continue  # those who have no labels of the test part still train and validate
        prefix = "PHQ" if part == "test" else "PHQ8"
        for row in read_table(path, ("Participant_ID", f"{prefix}_Binary", f"{prefix}_Score")):
            session, label, score = row["Participant_ID"], row[f"{prefix}_Binary"], row[f"{prefix}_Score"]
            if session in parts:
                raise InputError("TF-CORPUS-21", f"participant {session} twice, in {parts[session]} and in {part}",
                                 expected="each participant once", fix="restore the split tables from the corpus")
            if label not in LABELS or not score.isdigit():
                raise InputError("TF-CORPUS-22", f"participant {session} in {str(path)!r} with the label {label!r} and "
                                 f"the score {score!r}", expected="0 or 1, and a score of 0 to 24",
                                 fix="restore the split tables from the corpus")
            if (int(score) >= DEPRESSED_SCORE) != (label == "1"):
                notes.append(f"participant {session} has the label {label} and the score {score}; the label is used")
            labels[session], parts[session] = label, part
    return labels, parts


def _test_sessions(tables: Mapping[str, Path]) -> set[str]:
    path = tables.get(TEST_SESSIONS.lower())
    return {row["Participant_ID"] for row in read_table(path, ("Participant_ID",))} if path else set()


def _session(root: Path, session: str, label: str, part: Part, tables: Mapping[str, Path],
             audio: Mapping[str, list[Path]]) -> Iterator[Utterance | Skipped]:
    """The turns of a participant; turns without speech, too short or interrupted are listed."""
    if session in EXCLUDED:
        yield Skipped(session, "excluded", "session excluded by the corpus")
        return
    transcript = tables.get(f"{session}_transcript.csv")
    recording = one_of(audio.get(f"{session}_AUDIO", ()), root / f"{session}_P" / f"{session}_AUDIO.wav")
    if transcript is None or not recording.is_file():
        yield Skipped(session, "missing", "no transcript for the session" if transcript is None else
                      "no audio for the session")
        return
    shift_s = SHIFTS_S.get(session, 0.0)
    for number, row in enumerate(read_table(transcript, _COLUMNS, delimiter="\t"), start=1):
        name = f"{session}_{number:04d}"
        if row["speaker"] not in _SPEAKERS:
            raise InputError("TF-CORPUS-23", f"speaker {row['speaker']!r} in {str(transcript)!r}",
                             expected=" or ".join(_SPEAKERS), fix="restore the transcript from the corpus")
        if row["speaker"] != "Participant":
            continue
        start_s = seconds(row["start_time"], transcript) + shift_s
        end_s = seconds(row["stop_time"], transcript) + shift_s
        reason = _unusable(session, start_s, end_s, row["value"])
        yield Skipped(name, "excluded", reason) if reason else Utterance(
            name, recording, session, label, "", start_s, end_s, group=session, part=part)


def _unusable(session: str, start_s: float, end_s: float, value: str) -> str:
    """Why a turn is left out; empty if it is not."""
    first, last = INTERRUPTIONS_S.get(session, (0.0, 0.0))
    if start_s < last and end_s > first:
        return "turn during an interruption"
    if not value or _NO_SPEECH.search(value):
        return "turn without speech"
    return f"turn shorter than {MIN_TURN_S:g} s" if 0 < end_s - start_s < MIN_TURN_S else ""
