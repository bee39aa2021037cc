"""The table of backbones, and the model builder that refuses what could not be deployed."""

from __future__ import annotations

from types import ModuleType

from tfser.errors import InputError
from tfser.keras import keras, precision
from tfser.models import conformer, conv_transformer, speechformer
from tfser.spec import (
    ACTIVATIONS,
    ARCHITECTURES,
    HRF_DEPTHS,
    HRF_RATIOS,
    LOW_RANK_RATIOS,
    NORMS,
    SIZES,
    FeatureSpec,
    HrfSpec,
    ModelSpec,
)

BACKBONES: dict[str, ModuleType] = {
    "conformer": conformer,
    "convtransformer": conv_transformer,
    "speechformer": speechformer,
}


def build_model(spec: ModelSpec, *, policy: str = "float32") -> keras.Model:
    """A functional model: ``features`` (batch, frames, mel_bands) to logits (batch, labels).

    Parameters
    ----------
    spec : ModelSpec
    policy : str
        One of ``tfser.spec.PRECISIONS``, in which it computes; weights and logits are float32 in all of them.

    Raises
    ------
    InputError
        A choice is unknown, or needs an operator that TensorFlow Lite Micro lacks.
    """
    check_model_spec(spec)
    x = keras.Input((spec.frames, spec.mel_bands), name="features")
    with precision(policy):
        return keras.Model(x, BACKBONES[spec.arch].backbone(spec, x), name=spec.arch)


def defaults_of(arch: str) -> ModuleType:
    """A backbone's own choices, which its constants name.

    ``SITES``: its HRF sites. ``FEATURES``: the features that its sizes are made for (not yet fitted).
    ``ACTIVATION``: that of its publication, where TensorFlow Lite Micro has it. ``DROPOUT``, ``RECIPE``.
    """
    return BACKBONES[_known("architecture", arch, ARCHITECTURES)]


def sites_of(arch: str) -> tuple[str, ...]:
    """The HRF sites that a backbone has."""
    return defaults_of(arch).SITES


def feature_spec_for(arch: str) -> FeatureSpec:
    """The features that a backbone's small and base sizes are made for (not yet fitted)."""
    return defaults_of(arch).FEATURES


def check_model_spec(spec: ModelSpec) -> None:
    """Refuse, by name, what no backbone knows or TensorFlow Lite Micro cannot run."""
    _known("architecture", spec.arch, ARCHITECTURES)
    _known("size", spec.size, SIZES)
    _known("norm", spec.norm, NORMS)
    _check_activation(spec.activation)
    if len(spec.labels) < 2 or len(set(spec.labels)) != len(spec.labels):
        raise InputError("TF-MODEL-02", f"labels {list(spec.labels)}", expected="two or more different labels")
    if not 0 <= spec.dropout < 1:
        raise InputError("TF-MODEL-03", f"dropout {spec.dropout}", expected="a fraction in [0, 1)")
    features = feature_spec_for(spec.arch)
    if (spec.frames, spec.mel_bands) != (features.frames, features.mel_bands):
        raise InputError("TF-MODEL-04", f"input of {spec.frames} frames x {spec.mel_bands} bands for {spec.arch}",
                         expected=f"{features.frames} x {features.mel_bands}")
    if spec.hrf is not None:
        _check_hrf(spec.arch, spec.hrf)


def _check_activation(activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise InputError("TF-OP-03", f"activation {activation!r} has no int8 kernel in TensorFlow Lite Micro",
                         expected=f"one of {', '.join(ACTIVATIONS)}", fix="train with --activation swish")


def _check_hrf(arch: str, hrf: HrfSpec) -> None:
    _known("HRF ratio", hrf.ratio, (*LOW_RANK_RATIOS, *HRF_RATIOS))
    _known("HRF depth", hrf.depth, HRF_DEPTHS)
    if not hrf.sites:
        raise InputError("TF-HRF-02", "HRF without a site", expected=f"one or more of {', '.join(sites_of(arch))}",
                         fix="name a site, or train without HRF")
    sites = sites_of(arch)
    for site in hrf.sites:
        if site not in sites:
            raise InputError("TF-HRF-03", f"HRF site {site!r}", expected=f"a site of {arch}: {', '.join(sites)}",
                             fix="leave that site out")


def _known(kind: str, value: object, choices: tuple) -> str:
    if value not in choices:
        raise InputError("TF-MODEL-01", f"{kind} {value!r}", expected=f"one of {', '.join(map(str, choices))}")
    return str(value)
