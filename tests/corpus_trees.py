"""Corpora that are not at hand, in small: folders of their exact form, with the oddities that they have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000


def write_noise(path: Path, seconds: float = 0.1, *, seed: int = 0) -> Path:
    """A recording of ``seconds`` of noise; the folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * RATE_HZ))
    soundfile.write(path, y, RATE_HZ)
    return path


def write_text(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


# --- IEMOCAP ----------------------------------------------------------------------------------------------
#: Emotions of the utterances of a dialogue, for each speaker.
IEMOCAP_EMOTIONS = ("neu", "ang", "hap", "exc", "sad", "fru", "xxx")


def make_iemocap(root: Path, sessions: tuple[int, ...] = (1, 2, 3, 4, 5)) -> Path:
    """Sessions of two dialogues each; in both, both speak, whatever the letter after the session."""
    full = root / "IEMOCAP_full_release"
    for session in sessions:
        folder = full / f"Session{session}"
        for dialog in (f"Ses{session:02d}F_impro01", f"Ses{session:02d}M_script01_1"):
            _iemocap_dialog(folder, dialog)
        # macOS leaves these beside every file.
        write_text(folder / "dialog/EmoEvaluation" / f"._Ses{session:02d}F_impro01.txt", "\0\5\26\7")
        write_text(folder / "dialog/EmoEvaluation/Categorical" / f"Ses{session:02d}F_impro01_e1_cat.txt",
                   f"Ses{session:02d}F_impro01_F000 :Neutral state; ()\n")
        # Whole dialogues are recordings too, and not utterances.
        write_noise(folder / "dialog/wav" / f"Ses{session:02d}F_impro01.wav")
    return full


def _iemocap_dialog(folder: Path, dialog: str) -> None:
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    words = []
    for speaker in "FM":
        for number, emotion in enumerate(IEMOCAP_EMOTIONS):
            name = f"{dialog}_{speaker}{number:03d}"
            lines += [f"[{number}.2901 - {number}.9357]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]",
                      "C-E2:\tNeutral;\t()", "C-F1:\tAnger; Frustration;\t(a note)", "A-E3:\tval 3; act 2; dom  2;\t()",
                      "A-M1:\tval 2; act 3; dom  2;\t()", ""]
            words.append(f"{name} [00{number}.2901-00{number}.9357]: Excuse me, number {number}!")
            write_noise(folder / "sentences/wav" / dialog / f"{name}.wav", seed=number)
    write_text(folder / "dialog/EmoEvaluation" / f"{dialog}.txt", "\n".join(lines) + "\n")
    write_text(folder / "dialog/transcriptions" / f"{dialog}.txt", "\n".join(words) + "\n")


# --- M3ED -------------------------------------------------------------------------------------------------
M3ED_PARTS = {"train": ("amorous", "baihuabu", "danqin"), "val": ("fendou",), "test": ("jimao", "qianshou")}
M3ED_EMPTY = "A_amorous_1_2"


def make_m3ed(root: Path) -> Path:
    """Each series has a dialogue of two people and four utterances; one clip has no sample."""
    emotions = ("Happy", "Neutral", "Anger", "Sad")
    annotation: dict[str, dict] = {}
    for series in (name for names in M3ED_PARTS.values() for name in names):
        dialog = {}
        for number, emotion in enumerate(emotions):
            speaker, name = "AB"[number % 2], f"{series}_1_{number}"
            dialog[name] = {"StartTime": "0:00:01", "EndTime": "0:00:02", "Text": f"你好 {number}", "Speaker": speaker,
                            "EmoAnnotation": {"EmoAnnotator1": emotion, "EmoAnnotator2": emotion,
                                              "EmoAnnotator3": "Fear", "final_mul_emo": f"{emotion},Fear",
                                              "final_main_emo": emotion}}
            empty = f"{speaker}_{name}" == M3ED_EMPTY
            write_noise(root / "audio" / f"{speaker}_{name}.wav", 0.0 if empty else 0.1, seed=number)
        people = {letter: {"Name": name, "Age": "young", "Gender": "F"} for letter, name in (("A", "甲"), ("B", "乙"))}
        annotation[series] = {f"{series}_1": {"SpeakerInfo": people, "Dialog": dialog}}
    write_text(root / "annotation.json", json.dumps(annotation, ensure_ascii=False))
    for part, names in M3ED_PARTS.items():
        write_text(root / "splitInfo" / f"movie_list_{part}.txt", "\n".join(names))  # no newline at the end
    return root


# --- DAIC-WOZ ---------------------------------------------------------------------------------------------
#: Session: (table, label, score).
DAIC_SESSIONS = {"303": ("train", 0, 0), "319": ("train", 1, 13), "373": ("train", 0, 9), "409": ("train", 0, 10),
                 "302": ("dev", 0, 4), "346": ("dev", 1, 23), "451": ("test", 0, 5), "308": ("test", 1, 22)}
DAIC_EXCLUDED = "394"
_DAIC_TURNS = (("36.588", "39.668", "Ellie", "hi i'm ellie thanks for coming in today"),
               ("10.000", "11.500", "Participant", "<sync>"),
               ("62.328", "63.178", "Participant", "good"),
               ("64.000", "66.000", "Participant", "atlanta georgia um"),
               ("70.000", "72.500", "Participant", "my parents are from here"),
               ("75.000", "77.000", "Participant", "scrubbed_entry"))


def daic_transcript(session: str) -> str:
    """Tabs; 451 has no Ellie, and in 373 someone comes in."""
    turns = [turn for turn in _DAIC_TURNS if session != "451" or turn[2] != "Ellie"]
    if session == "373":
        turns.append(("394.000", "396.500", "Participant", "someone is at the door"))
    return "\n".join(["start_time\tstop_time\tspeaker\tvalue", *("\t".join(turn) for turn in turns), ""])


def make_daic(root: Path) -> Path:
    """Eight sessions and an excluded one, with the tables of AVEC 2017 as they are."""
    for session in (*DAIC_SESSIONS, DAIC_EXCLUDED):
        folder = root / f"{session}_P"
        write_noise(folder / f"{session}_AUDIO.wav", 400.0 if session == "373" else 80.0)
        write_text(folder / f"{session}_TRANSCRIPT.csv", daic_transcript(session))
    for table in ("train", "dev"):
        rows = [f"{session},{label},{score},1,0,0" for session, (name, label, score) in DAIC_SESSIONS.items()
                if name == table]
        write_text(root / f"{table}_split_Depression_AVEC2017.csv", "\r\n".join(
            ["Participant_ID,PHQ8_Binary,PHQ8_Score,Gender,PHQ8_NoInterest,PHQ8_Depressed", *rows, ""]))
    test = [(session, label, score) for session, (name, label, score) in DAIC_SESSIONS.items() if name == "test"]
    write_text(root / "test_split_Depression_AVEC2017.csv",
               "participant_ID,Gender\n" + "".join(f"{session},1\n" for session, _, _ in test))
    write_text(root / "full_test_split.csv", "Participant_ID,PHQ_Binary,PHQ_Score,Gender\n"
               + "".join(f"{session},{label},{score},1\n" for session, label, score in test) + ",,,\n")
    return root


# --- Corpora of one's own: CSV, EmoBox, audformat ------------------------------------------------------------
OWN_SPEAKERS = ("ann", "bob", "cid", "dee")
OWN_LABELS = ("calm", "angry")
CSV_HEADER = "path,speaker,label"


def make_csv(root: Path, header: str = CSV_HEADER, more: str = "", *, encoding: str = "utf-8", end: str = "\n") -> Path:
    """Two recordings of each speaker; ``more`` is added to each row."""
    rows = [f"wav/{speaker}_{label}.wav,{speaker},{label}{more}" for speaker in OWN_SPEAKERS for label in OWN_LABELS]
    for row in rows:
        write_noise(root / row.split(",")[0])
    return write_text(root / "table.csv", end.join([header, *rows, ""]), encoding=encoding)


def emobox_line(speaker: str, number: int, emotion: str) -> str:
    name = f"{speaker[:5]}F_impro01_{speaker[5]}{number:03d}"
    return json.dumps({"key": f"iemocap-{name}", "dataset": "iemocap", "wav": f"downloads/iemocap/{name}.wav",
                       "type": "raw", "sample_rate": 16000, "num_frame": 1600.0, "task": "category", "length": 0.1,
                       "emo": emotion, "channel": 1})


def make_emobox(root: Path) -> Path:
    """The layout of EmoBox: metadata below ``data``, recordings below ``downloads``."""
    sessions = {f"Ses0{number}": [emobox_line(f"Ses0{number}{letter}", place, emotion) for letter in "FM"
                                  for place, emotion in enumerate(("neu", "hap", "exc", "ang", "sad"))]
                for number in range(1, 6)}
    lines = [line for group in sessions.values() for line in group]
    for line in lines:
        write_noise(root / json.loads(line)["wav"])
    data = root / "data/iemocap"
    write_text(data / "iemocap.jsonl", "\n".join(lines) + "\n")
    write_text(data / "label_map.json", '{"neu": "Neutral", "hap": "Happy", "ang": "Angry", '
               '"sad": "Sad", "exc": "Happy"}')
    write_text(data / "fold_1/iemocap_test_fold_1.jsonl", "\n".join(sessions["Ses01"]))
    write_text(data / "fold_1/iemocap_train_fold_1.jsonl", "\n".join(lines[10:]))
    return data


def make_audformat(root: Path) -> Path:
    """Speakers in one table, emotions in two that are a split, and a table about speakers."""
    files = {f"wav/{speaker}_{label}.wav": (speaker, label) for speaker in OWN_SPEAKERS for label in OWN_LABELS}
    for file in files:
        write_noise(root / file)
    write_text(root / "db.yaml", "name: toy\nsource: here\nusage: unrestricted\n")
    write_text(root / "db.files.csv", "file,duration,speaker,transcription\n" + "".join(
        f"{file},0 days 00:00:00.100000,{speaker},hello\n" for file, (speaker, _) in files.items()))
    for part, speakers in (("train", OWN_SPEAKERS[:2]), ("dev", OWN_SPEAKERS[2:3]), ("test", OWN_SPEAKERS[3:])):
        write_text(root / f"db.emotion.{part}.csv", "file,emotion,emotion.confidence\n" + "".join(
            f"{file},{label},0.9\n" for file, (speaker, label) in files.items() if speaker in speakers))
    write_text(root / "db.speaker.csv", "speaker,age\n" + "".join(f"{speaker},30\n" for speaker in OWN_SPEAKERS))
    return root
