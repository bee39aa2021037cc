"""Worst-case stack: GCC's -fstack-usage, summed over its call graph.

What an interrupt needs of the stack comes on top. A bound exists only where it can be known: recursion, a frame of
variable size, a call through a pointer or of an unknown function is an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_gen.errors import CheckFailed, ToolError
from firmware_gen.image.call_graph import GRAPH_FLAGS, INDIRECT_CALL, Function, read_call_graph
from firmware_gen.image.toolchain import Unavailable, arm_compiler, arm_flags, compile_objects, write_sources
from firmware_gen.target import Core

#: What a program calls: the model, and the application layer where there is one.
ENTRIES = ("tfser_model_run", "tfser_init", "tfser_set_options", "tfser_feed", "tfser_classify", "tfser_read_features")

#: Bytes of the C library's functions that generated code may call, with what these call: newlib-nano and libgcc of
#: arm-none-eabi-gcc 12.2, the most of all cores. They come compiled, without a graph; a test adds up the pushes of
#: their disassembly.
LIBRARY_STACK_BYTES = {
    "memcpy": 0, "memmove": 16, "memset": 16,
    "__aeabi_fadd": 0, "__aeabi_fsub": 0, "__aeabi_fmul": 0, "__aeabi_fdiv": 0,
    "__aeabi_i2f": 0, "__aeabi_ui2f": 0, "__aeabi_f2iz": 0, "__aeabi_f2uiz": 0,
    "__aeabi_fcmpeq": 32, "__aeabi_fcmplt": 32, "__aeabi_fcmple": 32, "__aeabi_fcmpge": 32, "__aeabi_fcmpgt": 32,
}


def stack_bounds(sources: Mapping[str, str], core: Core) -> dict[str, int]:
    """Bytes of stack that a call of each of ``ENTRIES`` takes at most.

    Parameters
    ----------
    sources : mapping of str to str
        The generated files by name: what :func:`firmware_gen.image.link.link_image` compiles, with the same flags.
    core : Core

    Raises
    ------
    Unavailable
        Arm's compiler is missing, or its C library is not one whose stack is known.
    ToolError
        It failed, or its graph cannot be read.
    CheckFailed
        There is no bound: see :func:`deepest`.
    """
    compiled = sorted(name for name in sources if name.endswith(".c"))
    with tempfile.TemporaryDirectory(prefix="tfser-") as name:
        folder = Path(name)
        write_sources(folder, sources)
        compile_objects([arm_compiler(), *arm_flags(core), *GRAPH_FLAGS], folder, dict.fromkeys(compiled, ()))
        functions = read_functions(folder, compiled)
    if ENTRIES[0] not in functions:
        raise ToolError("FG-IMG-36", f"a call graph without {ENTRIES[0]}", expected="the sources of a model",
                        fix="build the folder again")
    return {entry: deepest(entry, functions) for entry in ENTRIES if entry in functions}


def read_functions(folder: Path, sources: Sequence[str]) -> dict[str, Function]:
    """The functions of sources that were compiled in a folder with ``GRAPH_FLAGS``, by title."""
    found: dict[str, Function] = {}
    for name in sources:
        graph, assembly = ((folder / name).with_suffix(end).read_text(encoding="utf-8") for end in (".ci", ".s"))
        found.update(read_call_graph(graph, assembly))
    return found


def deepest(entry: str, functions: Mapping[str, Function]) -> int:
    """Bytes of stack of a call of a function, those that it calls included.

    Raises
    ------
    CheckFailed
        A function that it reaches calls itself, directly or not; has a frame whose size is known only when it runs;
        or calls through a pointer.
    Unavailable
        One is neither among ``functions`` nor in ``LIBRARY_STACK_BYTES``: of another C library.
    """
    known: dict[str, int] = {}

    def visit(title: str, path: tuple[str, ...]) -> int:
        way = (*path, title)
        if title in path:
            raise _unbounded("FG-IMG-30", "recursion", way)
        if title not in known:
            function = functions.get(title)
            if function is not None:
                _require_static(function, way)
                known[title] = function.stack_bytes + max((visit(called, way) for called in function.calls), default=0)
            elif title in LIBRARY_STACK_BYTES:
                known[title] = LIBRARY_STACK_BYTES[title]
            else:
                raise Unavailable("FG-IMG-33", f"a function whose stack is not known: {' -> '.join(way)}",
                                  expected="a C library as that of arm-none-eabi-gcc 12.2",
                                  fix="use that compiler to have the bound")
        return known[title]

    return visit(entry, ())


def _require_static(function: Function, way: tuple[str, ...]) -> None:
    if not function.known:
        raise _unbounded("FG-IMG-31", "a stack frame of variable size", way)
    if INDIRECT_CALL in function.calls:
        raise _unbounded("FG-IMG-32", "a call through a pointer", way)


def require_within(used_bytes: int, bounds: Mapping[str, int]) -> None:
    """Compare what calls of the entries were seen to take with what they can.

    Parameters
    ----------
    used_bytes : int
        High-water mark of a painted stack.
    bounds : mapping of str to int
        Of :func:`stack_bounds`; those of the entries that were called.

    Raises
    ------
    CheckFailed
        More was taken than the call graph allows.
    """
    entry = max(bounds, key=lambda name: bounds[name])
    if used_bytes > bounds[entry]:
        raise CheckFailed("FG-IMG-37", f"{used_bytes} bytes of stack were used, and by the call graph {entry} takes at "
                          f"most {bounds[entry]}", expected="a bound that holds", fix="report this model")


def _unbounded(code: str, what: str, way: tuple[str, ...]) -> CheckFailed:
    return CheckFailed(code, f"{what}: {' -> '.join(way)}", expected="a call graph whose stack can be added up",
                       fix="change the generated C, or the flags that it is compiled with")
