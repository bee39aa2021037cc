"""The child process in which an interpreter runs: ``python -m tfser.validate.worker TASK FOLDER``.

The folder holds ``model.tflite``, ``request.json`` and, where the task needs them, ``inputs.npy`` and
``reference.tflite``; the answer is ``answer.npz``, or ``refusal.json`` where the interpreter refuses the model. An
interpreter that ends the process leaves neither. Nothing here imports TensorFlow: start-up is
what most of the time goes to.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# The arena that is always enough, and the step of TensorFlow Lite Micro's alignment.
ARENA_LIMIT_BYTES = 64 * 2**20
ARENA_STEP_BYTES = 16
# The float file of the same operators, for the task that compares with it.
REFERENCE = "reference.tflite"
# An absurd model runs into this instead of into the machine's other programs.
_MEMORY_LIMIT_BYTES = 8 * 2**30

Answer = dict[str, np.ndarray]


class InputsError(Exception):
    """The inputs are not what the model takes."""


def litert(content: bytes, inputs: np.ndarray, request: dict[str, Any]) -> Answer:
    """Run LiteRT, with the first of ``request["resolvers"]`` that has every operator."""
    interpreter = _litert(content, request["resolvers"], keep=bool(request["tensors"]))
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(sample: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given["index"], sample)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return _run_all(run, _samples(inputs, given), interpreter.get_tensor, request["tensors"])


def _litert(content: bytes, resolvers: list[str], *, keep: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        return Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=keep,
                           experimental_op_resolver_type=OpResolverType[resolvers[0]])
    except ValueError as error:
        if "Didn't find op" not in str(error) or len(resolvers) == 1:
            raise
        return _litert(content, resolvers[1:], keep=keep)


def tflite_micro(content: bytes, inputs: np.ndarray, request: dict[str, Any]) -> Answer:
    """Run TensorFlow Lite Micro in an arena of ``request["arena_bytes"]``."""
    from tflite_micro.python.tflite_micro import runtime

    config = runtime.InterpreterConfig
    interpreter = runtime.Interpreter.from_bytes(
        content, arena_size=request["arena_bytes"],
        intrepreter_config=config.kPreserveAllTensors if request["tensors"] else config.kAllocationRecording)

    def run(sample: np.ndarray) -> np.ndarray:
        interpreter.set_input(sample, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    return _run_all(run, _samples(inputs, interpreter.get_input_details(0)),
                    lambda index: interpreter.GetTensor(index, 0)["tensor_data"], request["tensors"])


def micro_arena(content: bytes, inputs: np.ndarray, request: dict[str, Any]) -> Answer:
    """The smallest arena in which TensorFlow Lite Micro allocates and computes the same outputs.

    An arena that is too small may end the process, so each one is tried in a process of its own.
    """
    expected = tflite_micro(content, inputs, {**request, "arena_bytes": ARENA_LIMIT_BYTES})["outputs"]

    def fits(arena_bytes: int) -> bool:
        return _survives(lambda: np.array_equal(
            tflite_micro(content, inputs, {**request, "arena_bytes": arena_bytes})["outputs"], expected))

    too_small, enough = 0, 256 * ARENA_STEP_BYTES
    while not fits(enough):
        too_small, enough = enough, 2 * enough
    while enough - too_small > ARENA_STEP_BYTES:
        middle = (too_small + enough) // (2 * ARENA_STEP_BYTES) * ARENA_STEP_BYTES
        too_small, enough = (too_small, middle) if fits(middle) else (middle, enough)
    return {"arena_bytes": np.array(enough)}


def layer_errors(content: bytes, inputs: np.ndarray, _request: dict[str, Any]) -> Answer:
    """What each operator loses against ``reference.tflite``: see :func:`tfser.validate.pieces.compare`."""
    from tfser.validate.pieces import compare

    return compare(content, Path(REFERENCE).read_bytes(), inputs)


TASKS: dict[str, Callable[[bytes, np.ndarray, dict[str, Any]], Answer]] = {
    "litert": litert, "tflite_micro": tflite_micro, "micro_arena": micro_arena,
    "layer_errors": layer_errors}


def _samples(inputs: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Inputs as the interpreter takes them, one after the other; no inputs stand for one of zeros."""
    shape, dtype = tuple(details["shape"]), np.dtype(details["dtype"])
    if inputs.size == 0:
        return np.zeros((1, *shape), dtype)
    if inputs.dtype != dtype or inputs[0].size != np.prod(shape, dtype=np.int64):
        raise InputsError(f"inputs of {inputs.dtype}{list(inputs.shape[1:])} for a model that takes "
                          f"{dtype}{list(map(int, shape))}")
    return inputs.reshape(len(inputs), *shape)


def _run_all(run: Callable[[np.ndarray], np.ndarray], samples: np.ndarray,
             read: Callable[[int], np.ndarray], tensors: list[int]) -> Answer:
    outputs: list[np.ndarray] = []
    kept: dict[int, list[np.ndarray]] = {index: [] for index in tensors}
    for sample in samples:
        outputs.append(np.array(run(sample)))
        for index, values in kept.items():
            values.append(np.array(read(index)))
    return {"outputs": np.stack(outputs), **{f"tensor_{index}": np.stack(values) for index, values in kept.items()}}


def _survives(attempt: Callable[[], bool]) -> bool:
    """Whether ``attempt`` is true, in a forked process that it may end as it likes."""
    process = os.fork()
    if process == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os._exit(0 if attempt() else 1)
        except BaseException:
            os._exit(1)
    return os.waitpid(process, 0)[1] == 0


def main(task: str, folder: Path) -> int:
    """Answer one request; 0 with an answer, 1 with a refusal."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))
    request = json.loads((folder / "request.json").read_text())
    content = (folder / "model.tflite").read_bytes()
    inputs = np.load(folder / "inputs.npy", allow_pickle=False)
    try:
        np.savez(folder / "answer.npz", **TASKS[task](content, inputs, request))  # type: ignore[arg-type]
    except Exception as error:
        kinds = ((ImportError, "missing"), (InputsError, "inputs"), (Exception, "refused"))
        refusal = {"kind": next(kind for cause, kind in kinds if isinstance(error, cause)),
                   "message": str(error) or type(error).__name__}
        (folder / "refusal.json").write_text(json.dumps(refusal))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
