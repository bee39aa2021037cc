"""Every check of one model, in order, as data: what ``tfser validate`` and ``tfser build`` call."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfser.errors import CheckFailed
from tfser.validate.accuracy import AGREEMENT_MIN, Truth, accuracy, agreement, probabilities
from tfser.validate.doctor import CHECKS, ERROR, Finding, examine, has_int16_activations, runnable
from tfser.validate.parity import Parity, compare, probe_inputs
from tfser.validate.runtimes import micro_arena_bytes

_SOUND = {
    "structure": "one straight graph of one input and one output",
    "shapes": "every shape is fixed",
    "operators": "every operator has a TensorFlow Lite Micro kernel for its types",
    "int8": "int8 input, output and tensors, no float",
}
_SOUND_INT16 = "int16 input, output and activations, int8 weights, no float"


@dataclass(frozen=True)
class Check:
    """One line of the report. ``passed`` is ``None`` for a check that could not be made."""

    name: str
    passed: bool | None
    detail: str
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"name": self.name, "passed": self.passed, "detail": self.detail, **self.figures}


@dataclass(frozen=True)
class Validation:
    """All findings and checks of one model."""

    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed, and every one that the model must pass was made."""
        return all(check.passed for check in self.checks)

    def figure(self, name: str) -> Any:
        """A figure of some check by its name, ``None`` where it was not measured."""
        return next((check.figures[name] for check in self.checks if name in check.figures), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"passed": self.passed, "checks": [check.to_dict() for check in self.checks],
                "findings": [finding.to_dict() for finding in self.findings]}


def validate_model(model: Any, content: bytes, inputs: np.ndarray | None = None, *,
                   logits: np.ndarray | None = None, truth: Truth | None = None) -> Validation:
    """Make every check of a model whose file has been verified.

    Parameters
    ----------
    model
        What ``firmware_gen.frontend.tflite.read_tflite`` gives for ``content``.
    content : bytes
        The .tflite file.
    inputs : np.ndarray [shape=(n, ...)], int8, optional
        Real inputs. Without them the interpreters are compared on random and extreme ones.
    logits : np.ndarray [shape=(n, labels)], optional
        Outputs of the float model for ``inputs``: their labels must agree with the int8 model's.
    truth : Truth, optional
        What ``inputs`` are, for the accuracy.

    Returns
    -------
    Validation
        Also of a model that an interpreter refuses or crashes on.

    Raises
    ------
    ToolError
        An interpreter is not installed.
    """
    findings = tuple(examine(model))
    checks = [_from_findings(name, findings) for name in CHECKS]
    if not findings and has_int16_activations(model):
        checks[-1] = dataclasses.replace(checks[-1], detail=_SOUND_INT16)
    if runnable(findings):
        checks += _run(model, content, inputs, logits, truth)
    else:
        checks.append(Check("runtimes", None, "not run: the errors above come first"))
    return Validation(findings, tuple(checks))


def _from_findings(name: str, findings: tuple[Finding, ...]) -> Check:
    own = [finding for finding in findings if finding.check == name]
    errors = [finding for finding in own if finding.severity == ERROR]
    detail = f"{len(errors)} error(s): {errors[0].text}" if errors else _SOUND[name]
    return Check(name, not errors, detail, {"errors": len(errors), "warnings": len(own) - len(errors)})


def _run(model: Any, content: bytes, inputs: np.ndarray | None, logits: np.ndarray | None,
         truth: Truth | None) -> Iterator[Check]:
    """The checks that need the interpreters, up to the first that they refuse."""
    subgraph = model.subgraphs[0]
    real = inputs is not None
    samples = inputs if inputs is not None else probe_inputs(subgraph.tensors[subgraph.inputs[0]])
    try:
        parity = compare(model, content, samples)
        yield _parity(parity, real)
        yield _arena(micro_arena_bytes(content))
    except CheckFailed as error:
        yield Check("runtimes", False, f"{error.received} ({error.code})", {"code": error.code})
        return
    if real and logits is not None:
        yield _agreement(parity.outputs, logits)
    if real and truth is not None:
        given = subgraph.tensors[subgraph.outputs[0]]
        yield _accuracy(probabilities(parity.outputs, float(given.scale[0]), int(given.zero_point[0])), truth)


def _parity(parity: Parity, real: bool) -> Check:
    """On real inputs every label must agree too; random ones may leave two outputs equal."""
    same = f"{parity.equal_inputs} of {parity.inputs} outputs equal"
    detail = f"LiteRT and TensorFlow Lite Micro: {same}"
    first = parity.first_diverging
    if not parity.equal:
        detail += f", at most {parity.max_steps} step(s) apart (bound {parity.bound})"
        detail += f", {parity.labels_agree} of {parity.inputs} labels agree"
    if first:
        detail += f"; first at operator {first.operator} {first.name} (layer {first.layer!r}), {first.steps} step(s)"
    return Check("parity", parity.within_bound and (parity.labels_agree == parity.inputs or not real), detail, {
        "inputs": parity.inputs, "real_inputs": real, "equal_inputs": parity.equal_inputs,
        "labels_agree": parity.labels_agree, "max_step_difference": parity.max_steps, "bound": parity.bound,
        "first_diverging_operator": {"operator": first.operator, "name": first.name, "layer": first.layer,
                                     "steps": first.steps} if first else None})


def _arena(arena_bytes: int) -> Check:
    return Check("arena", True,
                 f"TensorFlow Lite Micro needs {arena_bytes} bytes (on this 64-bit host; a device needs less)",
                 {"arena_bytes": arena_bytes, "arena_host": "64-bit upper bound"})


def _agreement(outputs: np.ndarray, logits: np.ndarray) -> Check:
    found = agreement(outputs, logits)
    return Check("agreement", found.within_bound,
                 f"{found.agree} of {found.clips} labels agree with the float model: {found.share:.1%} "
                 f"(at least {AGREEMENT_MIN:.0%})",
                 {"clips": found.clips, "agree": found.agree, "share": found.share, "bound": AGREEMENT_MIN,
                  "confusion": found.confusion})


def _accuracy(heard: np.ndarray, truth: Truth) -> Check:
    scores = accuracy(heard, truth)
    return Check("accuracy", True,
                 f"WF1 {scores['wf1']:.3f}, UAR {scores['uar']:.3f}, WA {scores['wa']:.3f} on {scores['utterances']} "
                 f"recordings of {truth.whose}", {"whose": truth.whose, **scores})
