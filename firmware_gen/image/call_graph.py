"""Reads what GCC notes of a source file: its functions, their stack and whom they call.

``-fcallgraph-info=su`` writes a graph (NAME.ci) with the figures of ``-fstack-usage``. Two things are missing
there and are read from the assembly (NAME.s): what inline assembly pushes, and the registers of a parameter list
that a function spills below its caller's frame (*pretend* arguments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_gen.errors import CheckFailed, ToolError

#: The compiler's flags for both files.
GRAPH_FLAGS = ("-fcallgraph-info=su", "-save-temps=obj")
#: Stands in a graph for whatever a pointer points to.
INDIRECT_CALL = "__indirect_call"

# NAME.ci: functions defined with their stack, functions only declared as ellipses, calls.
_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"( shape : ellipse)? \}')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"(?: label: "[^"]*")? \}')
_STACK = re.compile(r"(\d+) bytes \(([\w,]+)\)")

# NAME.s: where a function begins, bytes of registers below its caller's frame, a piece of inline assembly.
_FUNCTION = re.compile(r"^\s*\.type\s+([^,\s]+), %function$", re.MULTILINE)
_PRETEND = re.compile(r"^\s*@ args = \d+, pretend = (\d+), frame = \d+$", re.MULTILINE)
_INLINE = re.compile(r'^@ [1-9]\d* "[^"]*" \d+$(.*?)^@ 0 "" \d+$', re.MULTILINE | re.DOTALL)

# Statements of assembly, in lower case: those that take from the stack pointer, those that give back or only read it,
# and all that write it. What is left of the last is refused.
_LABEL = re.compile(r"\s*[\w.$\\()]+:")
_REPEATS, _REPEATED = (".irp", ".irpc", ".rept", ".macro"), (".endr", ".endm")
_PUSH = re.compile(r"(?:v?push[\w.]*|(?:v?stmdb|stmfd)[\w.]* (?:sp|r13)!,) ?\{(.*)\}")
_SUBTRACT = re.compile(r"sub[\w.]* (?:sp, ?)?sp, ?#(\w+)")
_STORE = re.compile(r"str[\w.]* .*\[sp, ?#-(\w+)\]!")
_GIVES_BACK = re.compile(r"v?pop\b|v?ldm[\w.]* (?:sp|r13)!|add[\w.]* (?:sp, ?)?sp, ?#\w+$|(?:ldr|str).*\[sp\], ?#\w")
_READS = re.compile(r"(?:v?ldm|v?stm|cmp|cmn|tst|str)[\w.]* sp,")
_WRITES = re.compile(r"v?push|[\w.]+ (?:sp|r13)\b|.*\b(?:sp|r13)(?:!|\], ?[#r]|\b.*\]!)|msr\b")
# Calls, and jumps to a name or a register: not "bx lr", and not jumps to labels within ("1b", "2f").
_CONDITION = r"(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?(?:\.[nw])?"
_LEAVES = re.compile(rf"blx?{_CONDITION} |bx{_CONDITION} (?!lr)|(?:b{_CONDITION} |cbn?z \w+, ?)[a-z_]")
_REGISTER = re.compile(r"([rsdq])(\d+)(?:-[rsdq]?(\d+))?|fp|ip|sl|sb|lr|pc")
_REGISTER_BYTES = {"r": 4, "s": 4, "d": 8, "q": 16}


@dataclass(frozen=True)
class Function:
    """A function of C: bytes of stack of its own, known when it was compiled (or not), and titles of those it calls."""

    stack_bytes: int
    known: bool
    calls: tuple[str, ...]


def read_call_graph(graph: str, assembly: str) -> dict[str, Function]:
    """The functions that a source file defines, by title: the name, behind ``FILE:`` where it is local.

    Parameters
    ----------
    graph, assembly : str
        Texts of NAME.ci and NAME.s.

    Raises
    ------
    ToolError
        Not such a graph, or a function is not in the assembly.
    CheckFailed
        Inline assembly calls a function, or does to the stack pointer what cannot be added up.
    """
    beside = _stack_beside_frames(assembly)
    calls: dict[str, list[str]] = {}
    functions = {}
    for line in graph.splitlines():
        if edge := _EDGE.fullmatch(line):
            calls.setdefault(edge[1], []).append(edge[2])
    for line in graph.splitlines():
        if _EDGE.fullmatch(line) or line == "}" or line.startswith("graph: "):
            continue
        node = _NODE.fullmatch(line)
        stack = _STACK.search(node[2]) if node else None
        if node is None or (stack is None) != (node[3] is not None):
            raise _unreadable(f"the line {line!r}")
        if stack is not None:
            name = node[1].rpartition(":")[2]
            if name not in beside:
                raise _unreadable(f"the function {name} without its assembly")
            called = tuple(dict.fromkeys(calls.get(node[1], ())))
            functions[node[1]] = Function(int(stack[1]) + beside[name], stack[2] == "static", called)
    return functions


def _stack_beside_frames(assembly: str) -> dict[str, int]:
    """Bytes that each function takes beside the frame that GCC counts, by its name in assembly.

    Of several pieces of inline assembly the one that takes the most counts: each gives back what it takes.
    """
    parts = _FUNCTION.split(assembly)
    taken = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        pretend = _PRETEND.search(body)
        if pretend is None:
            raise _unreadable(f"the function {name} without a count of its arguments")
        pushed = [pushed_bytes(piece, name) for piece in _INLINE.findall(body)]
        taken[name] = int(pretend[1]) + max(pushed, default=0)
    return taken


def pushed_bytes(assembly: str, name: str) -> int:
    """Bytes that a piece of assembly takes off the stack pointer: all of them added up, loops counted once.

    It may jump within itself, but not call, for GCC's graph would not show whom.

    Raises
    ------
    CheckFailed
        It calls, or changes the stack pointer by what is not a number.
    """
    total, repeats = 0, 0
    for statement in _statements(assembly):
        repeats += statement.startswith(_REPEATS) - statement.startswith(_REPEATED)
        if _LEAVES.match(statement):
            raise _refused(name, f"{statement!r}, which leaves it")
        taken = _taken(statement)
        if taken is None or (taken and repeats):
            raise _refused(name, repr(statement))
        total += taken
    return total


def _statements(assembly: str) -> Iterator[str]:
    """Instructions and directives in lower case with single blanks, without labels and comments."""
    for line in assembly.lower().replace(";", "\n").splitlines():
        text = line.partition("@")[0]
        while label := _LABEL.match(text):
            text = text[label.end():]
        if text.strip():
            yield " ".join(text.split())


def _taken(statement: str) -> int | None:
    """Bytes that the statement takes off the stack pointer; ``None`` where that cannot be said."""
    if push := _PUSH.fullmatch(statement):
        return _list_bytes(push[1])
    if number := _SUBTRACT.fullmatch(statement) or _STORE.fullmatch(statement):
        return int(number[1], 0) if re.fullmatch(r"0x[\da-f]+|\d+", number[1]) else None
    if _GIVES_BACK.match(statement) or _READS.match(statement) or not _WRITES.match(statement):
        return 0
    return None


def _list_bytes(registers: str) -> int | None:
    """Bytes of a list such as ``r4-r11, lr``."""
    total = 0
    for entry in registers.split(","):
        register = _REGISTER.fullmatch(entry.strip())
        if register is None:
            return None
        count = int(register[3] or register[2]) - int(register[2]) + 1 if register[1] else 1
        total += count * _REGISTER_BYTES.get(register[1] or "r", 4)
    return total


def _unreadable(what: str) -> ToolError:
    return ToolError("FG-IMG-35", f"the compiler's call graph holds {what}",
                     expected="a graph as arm-none-eabi-gcc 12 writes it", fix="use that version")


def _refused(name: str, what: str) -> CheckFailed:
    return CheckFailed("FG-IMG-34", f"the assembly of {name} holds {what}: its stack is not known",
                       expected="pushes and subtractions of numbers, and no calls", fix="write it in C")
