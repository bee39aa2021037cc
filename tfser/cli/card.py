"""``tfser card``: the model card of a checkpoint; and how a training writes it."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfser.cli.output import json_option, log, print_json
from tfser.errors import InputError
from tfser.files import canonical_json, sha256, write_atomic
from tfser.spec import ARCHITECTURES, TuneSpec, to_dict

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus
    from tfser.corpora.splits import Split
    from tfser.features.dataset import FeatureSet
    from tfser.models.checkpoint import Checkpoint

CHECKPOINT = "checkpoint.npz"


@click.command("card")
@click.argument("checkpoint", metavar="CHECKPOINT", type=click.Path(path_type=Path))
@json_option
def command(checkpoint: Path, as_json: bool) -> None:
    """Print the model card of a checkpoint: its data, its scores with intervals, what it is not for.

    CHECKPOINT is a file, the folder of its training, or the name of a backbone for the one that ships.
    What its training recorded is read from card.json beside it; without that file, it is said to be unknown.
    """
    from tfser.report.card_text import render_card

    facts = card_of(checkpoint_path(checkpoint))
    if as_json:
        print_json(facts)
    else:
        click.echo(render_card(facts), nl=False)


def checkpoint_path(given: Path) -> Path:
    """The file of a checkpoint, of the folder of its training, or of a backbone that ships."""
    from tfser.zoo import zoo_checkpoint

    if given.is_dir():
        return given / CHECKPOINT
    return zoo_checkpoint(str(given)) if str(given) in ARCHITECTURES and not given.exists() else given


def card_of(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint's card, with what its training recorded in ``card.json`` beside it.

    Raises
    ------
    InputError
        The checkpoint or a file beside it cannot be read.
    """
    return _facts(path, _beside(path))


def write_card(folder: Path, **recorded: Any) -> None:
    """Write ``card.json`` and ``card.md`` of a folder's checkpoint; see ``tfser.report.card`` for ``recorded``."""
    from tfser.report.card import CARD_JSON, CARD_TEXT
    from tfser.report.card_text import render_card

    facts = _facts(folder / CHECKPOINT, recorded)
    write_atomic(folder / CARD_TEXT, render_card(facts).encode())
    write_atomic(folder / CARD_JSON, canonical_json(facts).encode())


def _facts(path: Path, recorded: dict[str, Any]) -> dict[str, Any]:
    from tfser.cli.training_command import training_command
    from tfser.models.checkpoint import read_checkpoint
    from tfser.report.card import card_facts

    checkpoint, weights = read_checkpoint(path)
    tuning = _tuning_beside(path)
    made_by = training_command(checkpoint, tuning=tuning)
    known = {"commands": [made_by] if made_by else None, "int8": _int8_beside(path), **recorded,
             "quantised": to_dict(tuning) if tuning else None}
    trained = sum(int(value.size) for value in weights.values())
    return card_facts(checkpoint, sha256=sha256(path), recorded=known,
                      parameters={"trained": trained, "deployed": _deployed(checkpoint, trained)})


def data_facts(corpus: Corpus, data: FeatureSet, split: Split) -> dict[str, Any]:
    """What a card says of the recordings and only the training sees: counts by role, and what was not used."""
    from tfser.corpora.splits import ROLES, role_of, shared_texts

    roles = Counter(role_of(split, str(name)) for name in data.ids)
    left_out = Counter[str](entry.kind for entry in corpus.skipped) + Counter(silent=len(data.skipped))
    return {"recordings": {role: roles[role] for role in ROLES}, "left_out": dict(left_out),
            "shared_sentences": len(shared_texts(corpus, split))}


def _beside(path: Path) -> dict[str, Any]:
    """What ``card.json`` beside a checkpoint records; nothing where there is none, or one of another checkpoint."""
    from tfser.report.card import CARD_JSON, RECORDED

    beside = path.with_name(CARD_JSON)
    if not beside.is_file():
        return {}
    try:
        facts = json.loads(beside.read_bytes())
        of = facts.get("sha256")
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError("TF-CARD-01", f"{str(beside)!r} cannot be read: {error}",
                         expected="the card that tfser train wrote", fix="remove the file, or train again") from error
    if of != sha256(path):
        log.print(f"{beside} is of another checkpoint and is not used", markup=False, soft_wrap=True)
        return {}
    return {name: facts[name] for name in RECORDED if facts.get(name) is not None}


def _tuning_beside(path: Path) -> TuneSpec | None:
    """How the int8 weights beside a checkpoint were tuned; raises ``InputError`` for those of another checkpoint."""
    from tfser.convert.quantised_file import FILE_NAME, load_tuned

    beside = path.with_name(FILE_NAME)
    return load_tuned(beside, path).tuning if beside.is_file() else None


def _int8_beside(path: Path) -> dict[str, Any] | None:
    """Scores that tools/crossvalidate.py left beside a checkpoint, of the int8 file that its neighbours make."""
    from tfser.cli.int8_scores import SCORES_FILE

    beside = path.with_name(SCORES_FILE)
    if not beside.is_file():
        return None
    found = json.loads(beside.read_bytes())
    test, sources = found["roles"].get("test"), {path.with_name(name): of for name, of in found["sources"].items()}
    if not test or any(not source.is_file() or sha256(source) != of for source, of in sources.items()):
        return None
    return {"on": "The test speakers above, by TensorFlow Lite Micro's kernels.", "float": test["float"],
            "int8": test["int8"], "same_label": test["same_label"] / test["utterances"]}


def _deployed(checkpoint: Checkpoint, trained: int) -> int:
    """Parameters after the merge: those of the same model without HRF."""
    from tfser.models.build import build_model

    if checkpoint.model.hrf is None:
        return trained
    return int(build_model(dataclasses.replace(checkpoint.model, hrf=None)).count_params())
