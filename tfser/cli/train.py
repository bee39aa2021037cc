"""``tfser train``: a backbone on a corpus, speakers disjoint, in epochs that can be resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfser.cli.card import data_facts, write_card
from tfser.cli.output import json_option, log, print_json
from tfser.cli.recipe_options import RECIPE_OPTIONS, TrainingCommand, recipe_of
from tfser.cli.tuning import qat_options, tune_into, tuning_of
from tfser.errors import InputError
from tfser.spec import (
    ACTIVATIONS,
    ARCHITECTURES,
    CORPUS_NAMES,
    HRF_DEPTHS,
    HRF_RATIOS,
    LOW_RANK_RATIOS,
    NORMS,
    PRECISIONS,
    SIZES,
    HrfSpec,
    ModelSpec,
    TrainSpec,
)

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus
    from tfser.features.dataset import FeatureSet
    from tfser.models.checkpoint import Checkpoint
    from tfser.spec import FeatureSpec
    from tfser.training.lineage import Parent
    from tfser.training.run import OnEpoch, Training

EXIT_INTERRUPTED = 130
# The keys of tfser.corpora.splits.TRAIN_ON, which are not imported for the sake of --help.
TRAIN_ON = ("train", "train+validation", "all")
# Without a terminal, a line every so many epochs is enough to see that it lives.
PLAIN_LINES = 10
_HRF, _RECIPE = HrfSpec(), TrainSpec()
RATIOS = ("0", *map(str, (*LOW_RANK_RATIOS, *HRF_RATIOS)))


# Shared with tools/crossvalidate.py.
TRAINING_OPTIONS = (
    click.option("--arch", type=click.Choice(ARCHITECTURES), required=True, help="Backbone."),
    click.option("--corpus", type=click.Choice(CORPUS_NAMES), required=True, help="Corpus that ROOT holds."),
    click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder with the recordings."),
    click.option("--size", type=click.Choice(SIZES), default=SIZES[0], show_default=True, help="Size of the backbone."),
    click.option("--hrf-ratio", type=click.Choice(RATIOS), default=str(_HRF.ratio), show_default=True,
                 help="Inner width of HRF over output width; 0 trains without HRF, below 1 is a low-rank control."),
    click.option("--hrf-depth", type=click.Choice(tuple(map(str, HRF_DEPTHS))), default=str(_HRF.depth),
                 show_default=True, help="Linear layers that merge into one."),
    click.option("--hrf-sites", default="ffn", show_default=True, metavar="SITES",
                 help="Where HRF is, comma-separated: ffn1, ffn2, attention, conv; ffn is every feed-forward site."),
    click.option("--norm", type=click.Choice(NORMS), default=NORMS[0], show_default=True, help="Normalisation."),
    click.option("--activation", type=click.Choice(ACTIVATIONS),
                 help="Activation.  [default: swish for conformer, relu for the others]"),
    click.option("--clip-s", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True,
                 help="Seconds a clip lasts; more of them cost the device nothing, for the frames lie further apart."),
    click.option("--folds", type=click.IntRange(3), help="Number of folds.  [default: the corpus's own split, "
                 "else emodb 5, ravdess 6, ...]"),
    click.option("--train-on", type=click.Choice(TRAIN_ON), default=TRAIN_ON[0], show_default=True,
                 help="Whose recordings train: those who validate too once the recipe is settled, or all."),
    click.option("--speaker-overlap", is_flag=True, help="Split by utterances at random: the speakers of the test are "
                 "heard in training, and the scores say nothing about new speakers."),
    click.option("--dropout", type=click.FloatRange(0, 0.9), help="Share of activations dropped in training."
                 "  [default: the backbone's own]"),
    *RECIPE_OPTIONS,
    click.option("--precision", type=click.Choice(("auto", *PRECISIONS)), default="auto", show_default=True,
                 help="What training computes in; auto is mixed_float16 on a GPU, else float32."),
    click.option("--init", type=click.Path(path_type=Path), metavar="CHECKPOINT",
                 help="Begin from the weights of another training, wherever they fit."),
)


def training_options(function: Any) -> Any:
    """Add the options that say what is trained, and how."""
    for option in reversed(TRAINING_OPTIONS):
        function = option(function)
    return function


@click.command("train", cls=TrainingCommand)
@training_options
@click.option("--fold", type=click.IntRange(0), default=0, show_default=True, help="Fold whose speakers are tested.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=_RECIPE.seed, show_default=True,
              help="Seed of weights, order, augmentation and dropout.")
@click.option("--teacher", "teachers", type=click.Path(path_type=Path), multiple=True, metavar="CHECKPOINT",
              help="Learn from this model's probabilities too; several times for the mean of several.")
@click.option("--hints", type=click.Path(path_type=Path), metavar="FILE",
              help="Learn what is known of each recording beside its label, such as what tools/hints.py finds.")
@qat_options
@click.option("--out", type=click.Path(path_type=Path),
              help="Folder for the result.  [default: runs/CORPUS-ARCH-SIZE-foldFOLD-seedSEED]")
@click.option("--resume", is_flag=True, help="Continue the interrupted training in --out, given the same options.")
@json_option
def command(as_json: bool, out: Path | None, resume: bool, **options: Any) -> int:
    """Train a backbone on a corpus, with speakers disjoint.

    The model after the last epoch is the result. The validation speakers are scored after every
    epoch, the test speakers once at the end. What was interrupted goes on with --resume.
    """
    out = out or Path("runs", "{corpus}-{arch}-{size}-fold{fold}-seed{seed}".format(**options))
    try:
        checkpoint = _train(options, out, resume)
    except KeyboardInterrupt:
        if not any((out / name).is_file() for name in ("state.npz", "checkpoint.npz")):
            raise
        log.print(f"tfser: interrupted; the finished epochs are in {out}, continue with --resume", soft_wrap=True,
                  markup=False)
        return EXIT_INTERRUPTED
    if as_json:
        print_json({"checkpoint": str(out / "checkpoint.npz"), "split": checkpoint.split, **checkpoint.metrics})
    else:
        _print_result(checkpoint, out)
    return 0


def _train(options: dict[str, Any], out: Path, resume: bool) -> Checkpoint:
    from tfser.corpora import load_corpus
    from tfser.corpora.splits import shared_texts, untrained_labels
    from tfser.training.run import check_out

    check_out(out, resume=resume)
    warn_of_overlap(options)
    corpus = load_corpus(options["corpus"], options["root"])
    training = training_of(options, corpus, fold=options["fold"], seed=options["seed"],
                           teachers=options["teachers"], hints=options["hints"])
    if shared := shared_texts(corpus, training.split):
        log.print(f"{len(shared)} sentences are in training and in the test", markup=False)
    if untrained := untrained_labels(corpus, training.split):
        log.print(f"warning: labels that no training speaker has: {', '.join(untrained)}", markup=False)
    data = hear_variants(read_features(corpus, training.features), corpus, training)
    from tfser.training.precision import device_name  # here, because it imports TensorFlow

    log.print(f"training on {device_name()} in {training.recipe.precision}", markup=False)
    if training.lineage.start:
        _log_start(training.model, training.lineage.start)
    with _progress(training.recipe.epochs) as on_epoch:
        checkpoint = train_into(out, training, data, resume=resume, on_epoch=on_epoch)
    if spec := tuning_of(options, seed=options["seed"]):
        tune_into(out, training, data, spec)
    write_card(out, data=data_facts(corpus, data, training.split))
    return checkpoint


def _log_start(spec: ModelSpec, start: Parent) -> None:
    """Say how much of a model begins as ``--init``; one without HRF has less of what HRF needs, for instance."""
    from tfser.models.build import build_model
    from tfser.training.lineage import fitting

    model = build_model(spec)
    log.print(f"{len(fitting(model, spec.labels, start))} of {len(model.weights)} weights begin as those of "
              f"{start.path}", markup=False, soft_wrap=True)


def warn_of_overlap(options: dict[str, Any]) -> None:
    """Say on stderr what ``--speaker-overlap`` makes of the scores."""
    if options["speaker_overlap"]:
        log.print("[bold yellow]warning: --speaker-overlap: training hears the speakers of the test; its scores are "
                  "too high for new speakers, and checkpoint, manifest, report and C header say so", soft_wrap=True)


def train_into(out: Path, training: Training, data: FeatureSet, *, resume: bool,
               on_epoch: OnEpoch | None) -> Checkpoint:
    """Train, and leave the clips that ``tfser build`` calibrates with beside the checkpoint."""
    from tfser.convert.calibration_set import FILE_NAME, calibration_windows, save_calibration
    from tfser.training.data import roles_of, select
    from tfser.training.run import train

    checkpoint = train(training, data, out, resume=resume, on_epoch=on_epoch)
    clips = select(data, roles_of(data, training.split) == "train", checkpoint.features)
    windows = calibration_windows(clips)
    owner = clips.owner[windows]
    save_calibration(out / FILE_NAME, clips.x[windows], clips.labels[owner], clips.speakers[owner])
    return checkpoint


def read_features(corpus: Corpus, features: FeatureSpec) -> FeatureSet:
    """The corpus's features, with a word on stderr about what is read and what is left out."""
    from tfser.corpora.annotation import count_reasons
    from tfser.features.dataset import corpus_features

    for reason, count in count_reasons(corpus.skipped).items():
        log.print(f"left out {count}: {reason}", markup=False)
    for note in corpus.notes:
        log.print(note, markup=False)
    log.print(f"reading {len(corpus.utterances)} recordings of {corpus.name}")
    data = corpus_features(corpus, features)
    if data.skipped:
        log.print(f"left out {len(data.skipped)} silent recordings, such as {data.skipped[0]}")
    return data


def hear_variants(data: FeatureSet, corpus: Corpus, training: Training) -> FeatureSet:
    """``data`` with a way to the ``waveform_variants`` that the recipe asks for."""
    if not training.recipe.waveform_variants:
        return data
    return dataclasses.replace(data, variants=lambda: _variants(corpus, training))


def _variants(corpus: Corpus, training: Training) -> FeatureSet:
    """The variants of the recordings that train, all in memory."""
    from tfser.audio.augment import variants
    from tfser.corpora.splits import utterances_of
    from tfser.features.dataset import corpus_features

    count, seed, features = training.recipe.waveform_variants, training.recipe.seed, training.features
    chosen = utterances_of(corpus, training.split, "train")
    log.print(f"making {count} variants of each of {len(chosen)} recordings")
    heard = corpus_features(dataclasses.replace(corpus, utterances=chosen), features,
                            lambda y, name: variants(y, features.sample_rate_hz, count, seed=seed, name=name))
    log.print(f"they take {heard.x.nbytes / 2**20:.0f} MiB of memory")
    return heard


def training_of(
    options: dict[str, Any], corpus: Corpus, *, fold: int, seed: int, teachers: Sequence[Path] = (),
    hints: Path | None = None,
) -> Training:
    """What the ``TRAINING_OPTIONS`` ask for; raises ``InputError`` for what cannot be built or split."""
    from tfser.corpora.splits import make_split
    from tfser.models.build import check_model_spec, defaults_of
    from tfser.training.lineage import read_lineage
    from tfser.training.precision import resolve
    from tfser.training.run import Training

    split = make_split(corpus, folds=options["folds"], fold=fold, train_on=options["train_on"],
                       speaker_overlap=options["speaker_overlap"])
    defaults = defaults_of(options["arch"])
    features = features_of(options)
    model = ModelSpec(options["arch"], corpus.labels, size=options["size"], frames=features.frames,
                      mel_bands=features.mel_bands, norm=options["norm"], hrf=_hrf(options),
                      dropout=defaults.DROPOUT if options["dropout"] is None else options["dropout"],
                      activation=options["activation"] or defaults.ACTIVATION)
    check_model_spec(model)
    _refuse_unused(options, teachers, hints)
    recipe = recipe_of(options, defaults.RECIPE, seed=seed)
    recipe = dataclasses.replace(recipe, precision=resolve(options["precision"]))
    return Training(model, features, recipe, split, read_lineage(teachers, options["init"], hints))


def features_of(options: Mapping[str, Any]) -> FeatureSpec:
    """The backbone's features, for clips as long as asked for."""
    from tfser.features.clips import lasting
    from tfser.models.build import feature_spec_for

    return lasting(feature_spec_for(options["arch"]), options["clip_s"])


def _refuse_unused(options: dict[str, Any], teachers: Sequence[Path], hints: Path | None) -> None:
    """Options about teachers or hints that would do nothing without them."""
    about = {"--teacher": () if teachers else ("teacher_weight", "temperature", "feature_weight"),
             "--hints": () if hints else ("hint_weight", "hint_vector_weight")}
    for needed, names in about.items():
        if given := [name for name in names if options[name] is not None]:
            raise InputError("TF-TEACH-07", f"--{given[0].replace('_', '-')} without {needed}", expected=needed,
                             fix=f"give {needed}, or leave the option out")


def _hrf(options: dict[str, Any]) -> HrfSpec | None:
    """HRF as asked for; ``ffn`` stands for the backbone's own feed-forward sites."""
    from tfser.models.build import sites_of

    if options["hrf_ratio"] == "0":
        return None
    sites: set[str] = set()
    for name in options["hrf_sites"].split(","):
        every_ffn = [site for site in sites_of(options["arch"]) if site.startswith("ffn")]
        sites.update(every_ffn if name.strip() == "ffn" else [name.strip()])
    ratio = options["hrf_ratio"]
    return HrfSpec(float(ratio) if "." in ratio else int(ratio), int(options["hrf_depth"]), tuple(sorted(sites)))


@contextmanager
def _progress(epochs: int) -> Iterator[OnEpoch]:
    """A bar on a terminal, a line now and then elsewhere; both on stderr."""
    if not log.is_terminal:
        every = max(1, epochs // PLAIN_LINES)
        yield lambda entry: log.print(_line(entry, epochs), soft_wrap=True) \
            if entry["epoch"] % every == 0 or entry["epoch"] == epochs else None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=log) as progress:
        task = progress.add_task("training", total=epochs)
        yield lambda entry: progress.update(task, completed=entry["epoch"], description=_line(entry, epochs))


def _line(entry: dict[str, Any], epochs: int) -> str:
    watched = entry.get("validation")
    return f"epoch {entry['epoch']}/{epochs}  loss {entry['loss']:.3f}" + (
        f"  validation WF1 {watched['wf1']:.3f} UAR {watched['uar']:.3f}" if watched else "")


def _print_result(checkpoint: Checkpoint, out: Path) -> None:
    click.echo(out / "checkpoint.npz")
    heard = "" if (checkpoint.split or {}).get("speaker_disjoint") else ", heard in training"
    for role, scores in checkpoint.metrics.items():
        speakers = ", ".join(scores["speakers"]) + heard
        click.echo(f"{role:<10}  WF1 {scores['wf1']:.3f}  UAR {scores['uar']:.3f}  WA {scores['wa']:.3f}  "
                   f"macro-F1 {scores['macro_f1']:.3f}  ({scores['utterances']} utterances of speakers {speakers})")
