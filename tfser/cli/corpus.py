"""``tfser corpus check``: what a corpus folder holds, and what is missing, corrupt or unlabelled in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import Progress

from firmware_gen.report.text import format_table
from tfser.cli.output import json_option, log, print_json
from tfser.errors import CheckFailed
from tfser.spec import CORPUS_NAMES

if TYPE_CHECKING:
    from tfser.corpora.check import Report

# In text, lists are cut to so many rows; --json has them all.
MAX_ROWS = 24
MAX_NAMES = 5


@click.group("corpus")
def command() -> None:
    """What a corpus holds."""


@command.command("check")
@click.option("--corpus", "name", type=click.Choice(CORPUS_NAMES), required=True, help="Corpus or kind of manifest.")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Its folder, or the manifest's path.")
@json_option
def check_command(name: str, root: Path, as_json: bool) -> None:
    """Decode every recording, count, and compare with the published counts.

    Exit code 1 where something is missing or corrupt, or where the corpus cannot be split by speakers.
    """
    from tfser.corpora import load_corpus
    from tfser.corpora.check import check

    corpus = load_corpus(name, root)
    with Progress(console=log, transient=True, disable=not log.is_terminal) as progress:
        task = progress.add_task("decoding", total=len({utterance.path for utterance in corpus.utterances}))
        report = check(corpus, lambda: progress.advance(task))
    if as_json:
        print_json(to_dict(report))
    else:
        click.echo(to_text(report))
    if report.problems:
        raise CheckFailed("TF-CORPUS-35", f"{name} at {str(root)!r}: {'; '.join(report.problems)}",
                          expected="a corpus that is whole", fix="restore what is missing, or keep in mind that "
                          "figures measured on a part do not compare with those of others")


def to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON: lists by kind, counts, splits, differences from what was published."""
    from tfser.corpora.manifest import Kind

    corpus = report.corpus
    return {
        "corpus": corpus.name, "whole": not report.problems, "problems": list(report.problems),
        "utterances": len(corpus.utterances), "duration_s": round(report.duration_s, 3),
        "labels": report.labels, "speakers": report.speakers,
        "groups": len({utterance.group for utterance in corpus.utterances} - {""}),
        **{kind: [{"name": entry.name, "reason": entry.reason} for entry in report.unusable if entry.kind == kind]
           for kind in get_args(Kind)},
        "silent": list(report.silent), "shorter_than_a_clip": report.padded,
        "shorter_than_half_a_clip": report.short,
        "splits": [{**fold.split.record(), "utterances": fold.utterances,
                    "shared_texts": list(fold.shared_texts), "untrained_labels": list(fold.untrained_labels)}
                   for fold in report.folds],
        "differences": [dataclasses.asdict(entry) for entry in report.differences], "notes": list(corpus.notes),
    }


def to_text(report: Report) -> str:
    """The report as a page of text."""
    corpus = report.corpus
    published = corpus.published.labels if corpus.published and corpus.published.unit == "utterances" else {}
    sections = [
        f"{corpus.name}: {len(corpus.utterances)} utterances, {report.duration_s / 60:.1f} minutes, "
        f"{len(report.speakers)} speakers, {len(corpus.labels)} labels",
        format_table(("label", "utterances", "published"), [(label, str(count), str(published.get(label, "-")))
                                                            for label, count in report.labels.items()], right=(1, 2)),
        format_table(("speaker", "utterances"), _cut(list(report.speakers.items())), right=(1,)),
    ]
    if report.folds:
        rows = [("official" if fold.split.folds == 1 else str(fold.split.fold), *map(str, fold.utterances.values()),
                 str(len(fold.shared_texts)), fold.split.fingerprint[:12]) for fold in report.folds]
        sections.append(format_table(("fold", "train", "validation", "test", "sentences in train and test",
                                      "fingerprint"), rows, right=(1, 2, 3, 4)))
    if report.unusable or report.silent or report.padded:
        sections.append(_left_out(report))
    lines = [f"{entry.what}: {entry.found}, published {entry.published}" for entry in report.differences]
    lines += [f"fold {fold.split.fold}: nobody trains {', '.join(fold.untrained_labels)}" for fold in report.folds
              if fold.untrained_labels]
    if lines or corpus.notes:
        sections.append("\n".join([*lines, *corpus.notes]))
    return "\n\n".join([*sections, "whole" if not report.problems else f"not whole: {'; '.join(report.problems)}"])


def _left_out(report: Report) -> str:
    """Each reason with its count and the first names."""
    names: dict[tuple[str, str], list[str]] = {}
    for entry in report.unusable:
        names.setdefault((entry.kind, entry.reason), []).append(entry.name)
    if report.silent:
        names["silent", "left out when features are made"] = list(report.silent)
    lines = [f"{kind}: {reason}: {len(found)} ({', '.join(found[:MAX_NAMES])}{', ...' * (len(found) > MAX_NAMES)})"
             for (kind, reason), found in sorted(names.items())]
    if report.padded:
        lines.append(f"shorter than a clip of a model, and padded with zeros: {report.padded}; shorter than half of "
                     f"it: {report.short}")
    return "\n".join(lines)


def _cut(rows: list[tuple[str, int]]) -> list[tuple[str, str]]:
    """The first rows, and one for the rest."""
    rest = rows[MAX_ROWS:]
    more = [(f"and {len(rest)} more", str(sum(count for _, count in rest)))] if rest else []
    return [*((name, str(count)) for name, count in rows[:MAX_ROWS]), *more]
