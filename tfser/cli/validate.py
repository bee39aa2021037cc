"""``tfser validate``: is a .tflite file sound, all int8, runnable on TensorFlow Lite Micro, and still right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfser.cli.layer_errors import calibration_clips, measure_layers, print_layers
from tfser.cli.model_file import read_model
from tfser.cli.output import json_option, log, print_json
from tfser.errors import InputError
from tfser.spec import CORPUS_NAMES

if TYPE_CHECKING:
    from firmware_gen.frontend.model import Model
    from tfser.cli.evaluate import Scored
    from tfser.validate.pipeline import Validation

# More findings than this hide the table; --json has them all.
_SHOWN_FINDINGS = 12
_MARKS = {True: Text("pass", "green"), False: Text("FAIL", "bold red"), None: Text("not run", "yellow")}
_PATH = click.Path(path_type=Path)


@click.command("validate")
@click.argument("model_path", metavar="MODEL.tflite", type=_PATH)
@click.option("--against", metavar="CHECKPOINT", type=_PATH, help="Float checkpoint whose labels must agree.")
@click.option("--corpus", "corpus_name", type=click.Choice(CORPUS_NAMES), help="Corpus that ROOT holds.")
@click.option("--root", type=_PATH, help="Folder with the recordings.")
@click.option("--layers", is_flag=True, help="Show what each layer loses against the checkpoint, and the worst one.")
@json_option
def command(model_path: Path, against: Path | None, corpus_name: str | None, root: Path | None, layers: bool,
            as_json: bool) -> int:
    """Check that a .tflite file is sound, all int8 and runs on TensorFlow Lite Micro.

    The file is verified before an interpreter sees it. LiteRT and TensorFlow Lite Micro then run
    in processes of their own on the same inputs: those of the corpus, or random and extreme ones.

    With --layers every quantised tensor is compared with the float model's, as the model runs and with the
    error of one layer alone. Without a corpus that is on the clips that lie beside the checkpoint; these are
    stored in 8 bits, so that the error of the input itself needs recordings.
    """
    from tfser.validate.pipeline import validate_model

    if (corpus_name is None) != (root is None):
        raise click.UsageError("--corpus and --root go together")
    if layers and against is None:
        raise click.UsageError("--layers compares with a float model: add --against")
    model, content = read_model(model_path)
    reference = _reference(model_path, model, against, corpus_name, root)
    log.print(f"running {model_path.name} under LiteRT and TensorFlow Lite Micro", markup=False, soft_wrap=True)
    clips = reference.pop("clips", None)
    validation = validate_model(model, content, **reference)
    errors = measure_layers(model_path, content, against, clips) if layers and against else None
    if as_json:
        print_json({"model": str(model_path), "model_bytes": len(content), **validation.to_dict(),
                    **({"layers": errors.to_dict()} if errors else {})})
    else:
        if errors:
            print_layers(errors)
        _print(validation, f"{model_path.name}, {len(content)} bytes")
    return 0 if validation.passed else 1


def _reference(path: Path, model: Model, against: Path | None, corpus_name: str | None,
               root: Path | None) -> dict[str, Any]:
    """Inputs, what they are, and the float model's outputs for them, as far as they were asked for."""
    if against is None and corpus_name is None:
        return {}
    from tfser.cli import evaluate
    from tfser.validate.accuracy import quantize

    scored = evaluate.load(against or path)
    given = _require_fit(path, model, scored)
    x, truth = (_corpus(scored, corpus_name, root) if corpus_name and root else
                (calibration_clips(against or path), None))
    compared = x if truth is None else x[truth.scored[truth.owner]]
    inputs = quantize(x, float(given.scale[0]), int(given.zero_point[0]), given.dtype)
    return {"inputs": inputs, "truth": truth, "clips": compared,
            "logits": scored.probabilities(x) if against else None}


def _require_fit(path: Path, model: Model, scored: Scored) -> Any:
    """The model's input, provided that features and labels of ``scored`` go with it."""
    subgraph = model.subgraphs[0]
    ends = [subgraph.tensors[index] for index in (*subgraph.inputs[:1], *subgraph.outputs[:1])]
    shapes = [(1, scored.features.frames, scored.features.mel_bands), (1, len(scored.labels))]
    dtype = "int16" if ends and ends[0].dtype == "int16" else "int8"
    if [(end.dtype, end.shape) for end in ends] != [(dtype, shape) for shape in shapes]:
        raise InputError("TF-VAL-01", f"model {str(path)!r} with " + " and ".join(
                             f"{end.dtype}{list(end.shape)}" for end in ends),
                         expected=f"{dtype}{list(shapes[0])} and {dtype}{list(shapes[1])}",
                         fix="name the checkpoint that the model was built from, or leave out --against and --corpus")
    return ends[0]


def _corpus(scored: Scored, name: str, root: Path) -> tuple[Any, Any]:
    """Normalised features of a whole corpus, and what they are; the test speakers are scored."""
    import numpy as np

    from tfser.cli.tested_on import ALL, corpus_for, only
    from tfser.cli.train import read_features
    from tfser.training.data import select_all
    from tfser.validate.accuracy import Truth

    corpus = corpus_for(scored.labels, name, root)
    split = scored.split
    role = "test" if split and split["corpus"] == corpus.name and split["test"] else ALL
    wanted = [utterance.id for utterance in only(role, split, corpus).utterances]
    data = read_features(corpus, scored.features)
    clips = select_all(data, scored.features)
    return clips.x, Truth(clips.labels, corpus.labels, clips.speakers.tolist(), np.isin(data.ids, wanted),
                          f"{role} speakers of {corpus.name}", clips.owner)


def _print(validation: Validation, title: str) -> None:
    """The table of checks, then what was found."""
    console = Console(highlight=False)
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for header in ("check", "", "what was found"):
        table.add_column(header)
    for check in validation.checks:
        table.add_row(check.name, _MARKS[check.passed], Text(check.detail))
    console.print(table)
    shown = validation.findings[:_SHOWN_FINDINGS]
    for finding, following in zip(shown, [*shown, None][1:], strict=True):
        console.print(Text(f"{finding.severity} {finding.code}: {finding.text}"))
        if following is None or following.fix != finding.fix:
            console.print(Text(f"  Fix: {finding.fix}"))
    if len(validation.findings) > _SHOWN_FINDINGS:
        console.print(f"... and {len(validation.findings) - _SHOWN_FINDINGS} more findings (all with --json)")
    console.print(Text("passed", "bold green") if validation.passed else Text("failed", "bold red"))
