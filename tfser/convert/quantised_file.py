"""What quantisation-aware tuning found, kept beside its checkpoint as ``quantised.npz``.

======================  ==========================================================================
``checkpoint_sha256``   of the ``checkpoint.npz`` that was merged and tuned
``tuning``              the ``TuneSpec``
``weight/NAME``         weights of the operator form, float32, by layer and variable
``range/NAME``          ranges of its tensors and kernels, float32 (see ``tfser.convert.ranges``)
======================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfser.errors import InputError
from tfser.files import sha256
from tfser.models.archive import read_archive, write_archive
from tfser.spec import TuneSpec, from_dict, to_dict

KIND = "quantised model"
FILE_NAME = "quantised.npz"
_WEIGHT, _RANGE = "weight/", "range/"


@dataclass(frozen=True, eq=False)
class Tuned:
    """``weights`` and ``ranges`` by name, and the ``tuning`` that found them."""

    weights: Mapping[str, np.ndarray]
    ranges: Mapping[str, np.ndarray]
    tuning: TuneSpec


def save_tuned(path: Path, tuned: Tuned, checkpoint: Path) -> None:
    """Write the file; ``checkpoint`` is the path of the ``checkpoint.npz`` that was tuned."""
    arrays = {_WEIGHT + name: np.asarray(value, np.float32) for name, value in tuned.weights.items()}
    arrays |= {_RANGE + name: np.asarray(value, np.float32) for name, value in tuned.ranges.items()}
    write_archive(path, KIND, {"checkpoint_sha256": sha256(checkpoint), "tuning": to_dict(tuned.tuning)}, arrays)


def load_tuned(path: Path, checkpoint: Path) -> Tuned:
    """Read back what :func:`save_tuned` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind or version, or was tuned from another checkpoint.
    """
    document, arrays = read_archive(path, KIND)
    if document.get("checkpoint_sha256") != (here := sha256(checkpoint)):
        raise InputError("TF-QAT-05", f"{str(path)!r} was not tuned from the checkpoint beside it, whose SHA-256 is "
                         f"{here[:12]}", expected=str(document.get("checkpoint_sha256"))[:12],
                         fix=f"keep the files of a training together, or remove {path.name} and train with --qat again")
    weights, ranges = ({name.removeprefix(kind): value for name, value in arrays.items() if name.startswith(kind)}
                       for kind in (_WEIGHT, _RANGE))
    if not isinstance(document.get("tuning"), dict):
        raise InputError("TF-QAT-06", f"{str(path)!r} does not say how it was tuned", expected="a section tuning",
                         fix=f"remove {path.name} and train with --qat again")
    return Tuned(weights, ranges, from_dict(TuneSpec, document["tuning"]))


def require_tuning(path: Path, checkpoint: Path, wanted: TuneSpec) -> None:
    """Refuse a file that was tuned otherwise than ``wanted``, or that :func:`load_tuned` refuses."""
    found = load_tuned(path, checkpoint).tuning
    if found != wanted:
        fields = [name for name, value in to_dict(wanted).items() if to_dict(found)[name] != value]
        raise InputError("TF-QAT-08", f"{str(path)!r} was tuned with another {', '.join(fields)}",
                         expected="the options that the tuning was started with",
                         fix=f"give the same options again, or remove {path.name}")
