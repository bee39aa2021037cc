"""The command line that makes a checkpoint again, from what the checkpoint says of itself."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

from tfser.models.checkpoint import Checkpoint
from tfser.spec import TuneSpec

#: Stand for paths, of which a card names none.
ROOT, PARENT, HINTS, OUT = "ROOT", "CHECKPOINT", "HINTS", "OUT"
#: Of the recipe, what is given whatever it is: the seed, and what would depend on the machine.
_ALWAYS = ("seed", "precision")


def shown_path(path: Path) -> str:
    """A path as a recorded command names it: a relative one as it is, of an absolute one its last part alone."""
    return path.name if path.is_absolute() else str(path)


def training_command(checkpoint: Checkpoint, *, tuning: TuneSpec | None = None) -> str | None:
    """The ``tfser train`` that made a checkpoint; ``None`` where it does not say how it was trained.

    Model and split are spelt out; of the recipe, what differs from the backbone's own. A teacher or a start is
    ``CHECKPOINT``, which the card lists by its hash. ``tuning`` is that of ``quantised.npz`` beside it.
    """
    from tfser.models.build import defaults_of

    model, recipe, split = checkpoint.model, checkpoint.train, checkpoint.split
    if recipe is None or split is None:
        return None
    hrf = model.hrf
    given = {"arch": model.arch, "corpus": split["corpus"], "root": ROOT, "size": model.size,
             "hrf-ratio": f"{hrf.ratio:g}" if hrf else "0"}
    if hrf:
        given |= {"hrf-depth": str(hrf.depth), "hrf-sites": ",".join(hrf.sites)}
    given |= {"norm": model.norm, "activation": model.activation, "dropout": f"{model.dropout:g}",
              "folds": str(split["folds"]), "fold": str(split["fold"]), "train-on": split["train_on"]}
    if split["folds"] == 1:
        del given["folds"]  # the corpus's own split, which has no number
    backbone = defaults_of(model.arch)
    features, own = checkpoint.features, backbone.RECIPE
    if features.hop_samples != backbone.FEATURES.hop_samples:
        given["clip-s"] = f"{features.hop_samples * features.frames / features.sample_rate_hz!r}"
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if field.name in _ALWAYS or value != getattr(own, field.name):
            given[field.name.replace("_", "-")] = f"{value!r}" if isinstance(value, float) else str(value)
    words = ["tfser", "train", *(word for name, value in given.items() for word in (f"--{name}", value))]
    words += ["--speaker-overlap"] * (not split["speaker_disjoint"])
    words += ["--qat", "--qat-steps", str(tuning.steps)] if tuning else []
    words += ["--teacher", PARENT] * len(checkpoint.parents.get("teachers", ()))
    words += ["--init", PARENT] * ("start" in checkpoint.parents)
    words += ["--hints", HINTS] * ("hints" in checkpoint.parents)
    return shlex.join([*words, "--out", OUT])
