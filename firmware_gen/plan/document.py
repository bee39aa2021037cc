"""The plan as data for ``manifest.json``: what lies where in the arena, and from which step to which."""

from __future__ import annotations

from typing import Any

from firmware_gen.plan.program import Buffer, Program, Step


def plan_document(program: Program) -> dict[str, Any]:
    """Numbers, strings and lists only; the same for the same program.

    Returns
    -------
    dict
        ``arena_bytes``; ``lower_bound_bytes``, below which no plan of these steps can go;
        ``peak_step``, the number of the step that needs the most;
        ``buffers``: ``name``, ``kind`` (input, output, value, scratch, packed), ``bytes``, ``offset``,
        ``first_step``, ``last_step``; ``steps``: ``name``, ``parts`` (the operators of each node), ``outer`` loops,
        ``rows``, ``block`` (rows at a time), ``live_bytes`` (bytes of the arena in use);
        ``graph``: for each part, in the order of the steps, the ``layer`` whose output it computes, ``shape`` of
        the output, and ``inputs``: the numbers of the parts that it reads, -1 for the model's input.
    """
    kinds = buffer_kinds(program)
    used = [live_bytes(program, number) for number in range(len(program.steps))]
    return {
        "arena_bytes": program.arena_bytes,
        "lower_bound_bytes": program.lower_bound_bytes,
        "peak_step": peak_step(program),
        "buffers": [
            {"name": short_name(buffer), "kind": kinds[i], "bytes": buffer.size, "offset": buffer.offset,
             "first_step": buffer.first, "last_step": buffer.last}
            for i, buffer in sorted(program.buffers.items())],
        "steps": [
            {"name": step_name(step), "parts": [node.title for node in step.nodes],
             "outer": list(step.outer), "rows": step.rows, "block": step.block, "live_bytes": size}
            for step, size in zip(program.steps, used, strict=True)],
        "graph": _graph(program),
    }


def buffer_kinds(program: Program) -> dict[int, str]:
    """What each buffer is for: input, output, value, scratch or packed."""
    kinds = dict.fromkeys(program.buffers, "value")
    for step in program.steps:
        kinds.update(dict.fromkeys(step.scratch.values(), "scratch"))
        kinds.update(dict.fromkeys(step.packed.values(), "packed"))
    kinds.update(dict.fromkeys(program.inputs, "input"))
    kinds.update(dict.fromkeys(program.outputs, "output"))
    return kinds


def _graph(program: Program) -> list[dict[str, Any]]:
    graph = program.graph
    parts = [node for step in program.steps for node in step.nodes]
    numbers = {value: number for number, node in enumerate(parts) for value in node.outputs}
    numbers.update(dict.fromkeys(graph.inputs, -1))
    for node in graph.nodes:  # those in no step are views of what they read
        read = [numbers[i] for i in node.inputs if i in numbers]
        numbers.update((value, read[0]) for value in node.outputs if value not in numbers and read)
    return [{"layer": graph.values[node.outputs[0]].name.split(";")[0],
             "shape": list(graph.values[node.outputs[0]].shape),
             "inputs": sorted({numbers[i] for i in node.inputs if i in numbers})} for node in parts]


def step_name(step: Step) -> str:
    """The operators of the file that a step computes."""
    return " + ".join(node.title for node in step.nodes)


def short_name(buffer: Buffer) -> str:
    """The name of a buffer; of the names that the converter joins with ';' the first, which a user wrote."""
    name, colon, role = buffer.what.partition(": ")
    return name.split(";")[0] + colon + role


def live(program: Program, number: int) -> list[Buffer]:
    """Buffers that are needed during a step, largest first."""
    found = [buffer for buffer in program.buffers.values() if buffer.first <= number <= buffer.last]
    return sorted(found, key=lambda buffer: (-buffer.size, buffer.id))


def live_bytes(program: Program, number: int) -> int:
    """Bytes of the arena that are in use during a step; what overlaps counts once."""
    total = end = 0
    for buffer in sorted(live(program, number), key=lambda buffer: buffer.offset):
        last = buffer.offset + buffer.size
        total += max(0, last - max(buffer.offset, end))
        end = max(end, last)
    return total


def peak_step(program: Program) -> int:
    """The first of the steps that need the most."""
    used = [live_bytes(program, number) for number in range(len(program.steps))]
    return used.index(max(used)) if used else 0
