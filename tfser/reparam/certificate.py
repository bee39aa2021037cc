"""The certificate of a merge: what became of the model, and that its answers did not change."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tfser.errors import CheckFailed, InputError
from tfser.keras import keras, tf
from tfser.reparam.graph_pass import MergeResult

# Folding changes only the order of float32 additions. Logits of some units over inner widths up
# to about 1,000 then differ by around 1e-6; a wrong weight moves them by 1e-3 and more.
MERGE_ATOL = 1e-5
FLOAT32_BYTES = 4


def certify(before: keras.Model, after: keras.Model, inputs: Any, result: MergeResult) -> dict[str, Any]:
    """Run a model and its merged form on the same inputs and record what was merged and how they agree.

    Parameters
    ----------
    before, after : keras.Model
        The model as trained, and as merged; they return logits.
    inputs : np.ndarray [shape=(n, ...)]
        Real model inputs, at least one; a list of arrays for a model of several inputs.
    result : MergeResult
        What `tfser.reparam.graph_pass.merge` returned.

    Returns
    -------
    certificate : dict of JSON types
        ``merged`` (layers, kernel shapes before, kernel shape after), ``refused`` (layers,
        reason), ``parameters_before``, ``parameters_after``, their size as float32 and the bytes
        saved, ``inputs``, ``max_abs_error`` on logits and its ``tolerance``, ``decisions_agree``
        of ``decisions_total`` (arg max over the last axis).

    Raises
    ------
    InputError
        There is no input.
    CheckFailed
        Outputs of different shapes; an output that is not finite; an error above ``MERGE_ATOL``;
        a decision that changed.
    """
    count = len(tf.nest.flatten(inputs)[0])
    if not count:
        raise InputError("TF-CERT-01", "no input to certify the merge on", expected="one or more model inputs",
                         fix="give the features of some recordings")
    expected, received = _outputs(before, inputs), _outputs(after, inputs)
    error = _largest_error(expected, received)
    agree = np.concatenate([np.ravel(e.argmax(-1) == r.argmax(-1)) for e, r in zip(expected, received, strict=True)])
    if not agree.all():
        raise CheckFailed("TF-CERT-05", f"{np.count_nonzero(~agree)} of {agree.size} decisions changed by the merge",
                          expected="none", fix="deploy the model unmerged; its scores are tied within rounding")
    sizes = {"before": before.count_params(), "after": after.count_params()}
    return {
        "merged": [{"layers": list(chain.layers),
                    "kernels_before": [list(shape) for shape in itertools.pairwise(chain.widths)],
                    "kernel_after": [chain.widths[0], chain.widths[-1]]} for chain in result.merged],
        "refused": [{"layers": list(record.layers), "reason": record.reason} for record in result.refused],
        **{f"parameters_{when}": size for when, size in sizes.items()},
        **{f"float32_bytes_{when}": FLOAT32_BYTES * size for when, size in sizes.items()},
        "float32_bytes_saved": FLOAT32_BYTES * (sizes["before"] - sizes["after"]),
        "inputs": count,
        "max_abs_error": error,
        "tolerance": MERGE_ATOL,
        "decisions_agree": int(np.count_nonzero(agree)),
        "decisions_total": agree.size,
    }


def _outputs(model: keras.Model, inputs: Any) -> list[np.ndarray]:
    # All at once and without predict(), which would compile the model first: that takes longer than a hundred clips.
    outputs = [np.asarray(output) for output in tf.nest.flatten(model(inputs, training=False))]
    if not all(np.isfinite(output).all() for output in outputs):
        raise CheckFailed("TF-CERT-02", f"model {model.name!r} returns NaN or infinity", expected="finite logits",
                          fix="check the inputs and the weights of the checkpoint")
    return outputs


def _largest_error(expected: list[np.ndarray], received: list[np.ndarray]) -> float:
    shapes, others = ([output.shape for output in outputs] for outputs in (expected, received))
    if shapes != others:
        raise CheckFailed("TF-CERT-03", f"the merged model returns shapes {others}", expected=f"{shapes}",
                          fix="certify the model that merge() made of this one")
    error = max(float(np.abs(e.astype(np.float64) - r).max()) for e, r in zip(expected, received, strict=True))
    if error > MERGE_ATOL:
        raise CheckFailed("TF-CERT-04", f"logits of the merged model differ by up to {error:.3g}",
                          expected=f"at most {MERGE_ATOL:g}, which float32 rounding explains",
                          fix="certify the model that merge() made of this one, with inputs in the range of training")
    return error
