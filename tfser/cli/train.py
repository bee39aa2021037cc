"""``tfser train``: a backbone on a corpus, speakers disjoint, in epochs that can be resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfser.cli.output import json_option, log, print_json
from tfser.spec import ACTIVATIONS, ARCHITECTURES, HRF_DEPTHS, HRF_RATIOS, NORMS, SIZES, HrfSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    from tfser.corpora.manifest import Corpus
    from tfser.features.dataset import FeatureSet
    from tfser.models.checkpoint import Checkpoint
    from tfser.spec import FeatureSpec
    from tfser.training.run import OnEpoch, Training

EXIT_INTERRUPTED = 130
# The folds that the corpora are compared on: EMO-DB 5 of 2 speakers, RAVDESS 6 of 3, IEMOCAP 5 sessions; 1 is a
# corpus's own split. A manifest (None) says itself whether it has one.
FOLDS = {"emodb": 5, "ravdess": 6, "cremad": 5, "iemocap": 5, "iemocap-6": 5, "m3ed": 1, "daic-woz": 1,
         "emobox": None, "csv": None, "audformat": None}
# Without a terminal, a line every so many epochs is enough to see that it lives.
PLAIN_LINES = 10
_HRF, _RECIPE = HrfSpec(), TrainSpec()


# Shared with tools/crossvalidate.py.
TRAINING_OPTIONS = (
    click.option("--arch", type=click.Choice(ARCHITECTURES), required=True, help="Backbone."),
    click.option("--corpus", type=click.Choice(tuple(FOLDS)), required=True, help="Corpus that ROOT holds."),
    click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder with the recordings."),
    click.option("--size", type=click.Choice(SIZES), default=SIZES[0], show_default=True, help="Size of the backbone."),
    click.option("--hrf-ratio", type=click.Choice(("0", *map(str, HRF_RATIOS))), default=str(_HRF.ratio),
                 show_default=True, help="Inner width of HRF over output width; 0 trains without HRF."),
    click.option("--hrf-depth", type=click.Choice(tuple(map(str, HRF_DEPTHS))), default=str(_HRF.depth),
                 show_default=True, help="Linear layers that merge into one."),
    click.option("--hrf-sites", default="ffn", show_default=True, metavar="SITES",
                 help="Where HRF is, comma-separated: ffn1, ffn2, attention, conv; ffn is every feed-forward site."),
    click.option("--norm", type=click.Choice(NORMS), default=NORMS[0], show_default=True, help="Normalisation."),
    click.option("--activation", type=click.Choice(ACTIVATIONS),
                 help="Activation.  [default: swish for conformer, relu for the others]"),
    click.option("--folds", type=click.IntRange(3), help="Number of folds.  [default: the corpus's own split, "
                 "else emodb 5, ravdess 6, ...]"),
    click.option("--epochs", type=click.IntRange(1), help="Epochs.  [default: speechformer 80, the others 65]"),
)


def training_options(function: Any) -> Any:
    """Add the options that say what is trained, and how."""
    for option in reversed(TRAINING_OPTIONS):
        function = option(function)
    return function


@click.command("train")
@training_options
@click.option("--fold", type=click.IntRange(0), default=0, show_default=True, help="Fold whose speakers are tested.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=_RECIPE.seed, show_default=True,
              help="Seed of weights, order, augmentation and dropout.")
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
        if not (out / "state.npz").is_file():
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
    from tfser.corpora.splits import shared_texts
    from tfser.training.run import check_out

    check_out(out, resume=resume)
    corpus = load_corpus(options["corpus"], options["root"])
    training = training_of(options, corpus, fold=options["fold"], seed=options["seed"])
    if shared := shared_texts(corpus, training.split):
        log.print(f"{len(shared)} sentences are in training and in the test", markup=False)
    data = read_features(corpus, training.features)
    with _progress(training.recipe.epochs) as on_epoch:
        return train_into(out, training, data, resume=resume, on_epoch=on_epoch)


def train_into(out: Path, training: Training, data: FeatureSet, *, resume: bool, on_epoch: OnEpoch) -> Checkpoint:
    """Train, and leave the clips that ``tfser build`` calibrates with beside the checkpoint."""
    from tfser.convert.calibration_set import FILE_NAME, save_calibration
    from tfser.features.normalise import band_normalise
    from tfser.training.data import roles_of
    from tfser.training.run import train

    checkpoint = train(training, data, out, resume=resume, on_epoch=on_epoch)
    heard = roles_of(data, training.split) == "train"
    save_calibration(out / FILE_NAME, band_normalise(data.x[heard], checkpoint.features), data.labels[heard])
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


def training_of(options: dict[str, Any], corpus: Corpus, *, fold: int, seed: int) -> Training:
    """What the ``TRAINING_OPTIONS`` ask for; raises ``InputError`` for what cannot be built or split."""
    from tfser.corpora.splits import make_split
    from tfser.models.build import check_model_spec, defaults_of
    from tfser.training.run import Training

    split = make_split(corpus, folds=options["folds"], fold=fold)
    defaults = defaults_of(options["arch"])
    features = defaults.FEATURES
    model = ModelSpec(options["arch"], corpus.labels, size=options["size"], frames=features.frames,
                      mel_bands=features.mel_bands, norm=options["norm"], dropout=defaults.DROPOUT,
                      activation=options["activation"] or defaults.ACTIVATION, hrf=_hrf(options))
    check_model_spec(model)
    recipe = dataclasses.replace(defaults.RECIPE, epochs=options["epochs"] or defaults.RECIPE.epochs, seed=seed)
    return Training(model, features, recipe, split)


def _hrf(options: dict[str, Any]) -> HrfSpec | None:
    """HRF as asked for; ``ffn`` stands for the backbone's own feed-forward sites."""
    from tfser.models.build import sites_of

    if options["hrf_ratio"] == "0":
        return None
    sites: set[str] = set()
    for name in options["hrf_sites"].split(","):
        every_ffn = [site for site in sites_of(options["arch"]) if site.startswith("ffn")]
        sites.update(every_ffn if name.strip() == "ffn" else [name.strip()])
    return HrfSpec(int(options["hrf_ratio"]), int(options["hrf_depth"]), tuple(sorted(sites)))


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
    validation = entry["validation"]
    return (f"epoch {entry['epoch']}/{epochs}  loss {entry['loss']:.3f}  "
            f"validation WF1 {validation['wf1']:.3f} UAR {validation['uar']:.3f}")


def _print_result(checkpoint: Checkpoint, out: Path) -> None:
    click.echo(out / "checkpoint.npz")
    for role in ("validation", "test"):
        scores = checkpoint.metrics[role]
        speakers = ", ".join(scores["speakers"])
        click.echo(f"{role:<10}  WF1 {scores['wf1']:.3f}  UAR {scores['uar']:.3f}  WA {scores['wa']:.3f}  "
                   f"macro-F1 {scores['macro_f1']:.3f}  ({scores['utterances']} utterances of speakers {speakers})")
