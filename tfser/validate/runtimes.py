"""LiteRT and TensorFlow Lite Micro, each in a child process that may crash.

Outputs are ``[n, ...]`` for ``n`` inputs, the model's batch of 1 dropped. On the models measured
LiteRT's reference kernels come closest to TensorFlow Lite Micro (0 to 2 output steps); its
optimised kernels differ by up to 13 and its XNNPACK delegate by up to 28 steps on the same files,
which is why ``reference`` is the default.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tfser
from tfser.errors import CheckFailed, InputError, ToolError
from tfser.validate.worker import ARENA_LIMIT_BYTES, REFERENCE

#: LiteRT's kernels by our name for them. The reference ones lack a few operators (ELU, DEPTH_TO_SPACE
#: in int8): a model with these runs on the optimised ones.
RESOLVERS = {"reference": ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
             "optimized": ("BUILTIN_WITHOUT_DEFAULT_DELEGATES",), "xnnpack": ("BUILTIN",)}
# Time for start-up and for the bisection of the arena, and for each input: a hundred times what
# the largest backbone takes.
TIMEOUT_S, TIMEOUT_PER_INPUT_S = 120.0, 20.0

_NAMES = {"litert": "LiteRT", "tflite_micro": "TensorFlow Lite Micro", "micro_arena": "TensorFlow Lite Micro",
          "layer_errors": "TensorFlow Lite Micro, layer by layer,"}
_PACKAGES = {"litert": "ai-edge-litert", "tflite_micro": "tflite-micro", "micro_arena": "tflite-micro",
             "layer_errors": "tflite-micro"}
_TAIL_LINES = 4
_NO_INPUTS = np.zeros((0,), np.int8)


def run_litert(content: bytes, inputs: np.ndarray, *, resolver: str = "reference") -> np.ndarray:
    """Outputs of LiteRT.

    Parameters
    ----------
    content : bytes
        The .tflite file, of one input and one output.
    inputs : np.ndarray [shape=(n, ...)], int8
    resolver : str
        ``reference``, ``optimized`` or ``xnnpack``.

    Returns
    -------
    np.ndarray [shape=(n, ...)]

    Raises
    ------
    CheckFailed
        The interpreter refused the model, crashed on it, or did not end in time.
    InputError
        The inputs are not of the model's type or size.
    ToolError
        The interpreter is not installed.
    """
    return _drop_batch(_ask("litert", content, inputs, resolvers=RESOLVERS[resolver])["outputs"])


def run_tflite_micro(content: bytes, inputs: np.ndarray, arena_bytes: int | None = None) -> np.ndarray:
    """Outputs of TensorFlow Lite Micro, as for :func:`run_litert`; the arena is ample unless given."""
    arena_bytes = arena_bytes or ARENA_LIMIT_BYTES
    return _drop_batch(_ask("tflite_micro", content, inputs, arena_bytes=arena_bytes)["outputs"])


def litert_tensors(content: bytes, inputs: np.ndarray, tensors: list[int]) -> dict[int, np.ndarray]:
    """Values ``[n, *shape]`` of tensors inside the graph under LiteRT, by their index."""
    return _tensors(_ask("litert", content, inputs, resolvers=RESOLVERS["reference"], tensors=tensors))


def tflite_micro_tensors(content: bytes, inputs: np.ndarray, tensors: list[int]) -> dict[int, np.ndarray]:
    """Values ``[n, *shape]`` of tensors inside the graph under TensorFlow Lite Micro, by their index."""
    return _tensors(_ask("tflite_micro", content, inputs, arena_bytes=ARENA_LIMIT_BYTES, tensors=tensors))


def micro_arena_bytes(content: bytes) -> int:
    """The smallest tensor arena in which TensorFlow Lite Micro runs the model on this host.

    Found by bisection with the real interpreter, to 16 bytes. The host's pointers have 64 bits
    and its interpreter records its allocations, so a 32-bit device needs less: a safe upper bound.
    """
    return int(_ask("micro_arena", content, _NO_INPUTS)["arena_bytes"])


def layer_figures(content: bytes, reference: bytes, clips: np.ndarray) -> dict[str, np.ndarray]:
    """What each operator of a quantised file loses: see :func:`tfser.validate.pieces.compare`."""
    return _ask("layer_errors", content, clips, reference=reference)


def _drop_batch(outputs: np.ndarray) -> np.ndarray:
    return outputs[:, 0] if outputs.ndim > 1 and outputs.shape[1] == 1 else outputs


def _tensors(answer: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    return {int(name.removeprefix("tensor_")): values for name, values in answer.items() if name != "outputs"}


def _ask(task: str, content: bytes, inputs: np.ndarray, *, reference: bytes | None = None,
         **request: Any) -> dict[str, np.ndarray]:
    """Run one task of the worker and give its answer."""
    timeout_s = TIMEOUT_S + TIMEOUT_PER_INPUT_S * len(inputs)
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(content)
        (folder / "request.json").write_text(json.dumps({"tensors": [], **request}))
        np.save(folder / "inputs.npy", np.ascontiguousarray(inputs))
        if reference is not None:
            (folder / REFERENCE).write_bytes(reference)
        status, tail = run_child([sys.executable, "-m", "tfser.validate.worker", task, "."], folder, timeout_s)
        if status == 0:
            with np.load(folder / "answer.npz", allow_pickle=False) as answer:
                return dict(answer)
        refusal = folder / "refusal.json"
        raise _failure(task, status, tail, json.loads(refusal.read_text()) if refusal.is_file() else {}, timeout_s)


def run_child(command: list[str], folder: Path, timeout_s: float) -> tuple[int | None, str]:
    """Run a child and all that it starts to its end, or to the end of its time.

    Returns
    -------
    status : int or None
        Exit status, the negative number of the signal that ended it, or ``None`` for a time-out.
    tail : str
        The last lines that it wrote to stderr.
    """
    root = str(Path(tfser.__file__).resolve().parent.parent)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1",
                   "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    with (folder / "stderr").open("w+b") as stderr:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True)
        status: int | None = None
        try:
            status = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if status is None:  # out of time, or interrupted
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        stderr.seek(0)
        return status, _tail(stderr.read())


def _tail(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("INFO:")][-_TAIL_LINES:]
    return "; ".join("".join(c for c in line if c.isprintable()) for line in lines)


def _failure(task: str, status: int | None, tail: str, refusal: dict[str, str], timeout_s: float) -> Exception:
    runtime, said = _NAMES[task], f" ({tail})" if tail else ""
    if refusal.get("kind") == "missing":
        package = _PACKAGES[task]
        return ToolError("TF-RUN-01", f"{runtime} cannot be loaded: {refusal['message']}",
                         expected=f"the package {package} (tflite-micro exists for x86-64 only)",
                         fix=f"pip install --pre {package}")
    if refusal.get("kind") == "inputs":
        return InputError("TF-RUN-06", refusal["message"], expected="inputs of the model's type and shape",
                          fix="use the features that the model was trained on")
    if refusal:
        return CheckFailed("TF-RUN-02", f"{runtime} refuses the model: {refusal['message']}{said}",
                           expected="a model that it loads and runs", fix="change the layer that it names")
    if status is None:
        return CheckFailed("TF-RUN-03", f"{runtime} did not end within {timeout_s:g} s{said}",
                           expected="an end", fix="use a smaller model, or find the layer that never ends")
    if status < 0:
        return CheckFailed("TF-RUN-04", f"{runtime} crashed with {signal.Signals(-status).name} on this model{said}",
                           expected="a model that it loads and runs", fix="export the model again; report the file")
    return ToolError("TF-RUN-05", f"the process of {runtime} ended with status {status} and no answer{said}",
                     expected="an answer", fix="check the installation of tfser")
