"""Stack bounds: known call graphs are added up, what has no bound is refused, and what runs stays below its bound."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import small_model
from features.front_end import describe

from firmware_gen.compile import compile_application, compile_model
from firmware_gen.errors import CheckFailed, FirmwareError, ToolError
from firmware_gen.image.call_graph import pushed_bytes, read_call_graph
from firmware_gen.image.link import link_image
from firmware_gen.image.listening import record
from firmware_gen.image.simulate import listen_on_chip, simulate
from firmware_gen.image.stack import ENTRIES, require_within, stack_bounds
from firmware_gen.target import CORES

needs_compiler = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"),
                                    reason="needs arm-none-eabi-gcc (tools/setup.sh toolchain)")
needs_chip = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
each_core = pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)

FRAMES = 64  # bytes: registers that a few small functions save beside their arrays
RATIO = 1.25  # bound to high-water mark: frames are rounded up, and of the deepest one the last words stay unwritten

#: ``FUNCTION(name, bytes)`` begins a function with an array of so many bytes; ``USE(call)`` calls and keeps the array.
BEGIN = """
#include <stdint.h>
#include <string.h>
#define APART __attribute__((noinline, noclone))
#define FUNCTION(name, bytes) APART static int name(int n) { volatile char array[bytes]; array[n] = 1; int sum = 0;
#define USE(call) sum += (call);
#define END return sum + array[n + 1]; }
int tfser_model_run(const int8_t *input, int8_t *output, void *arena);
"""


def model(body: str, run: str) -> dict[str, str]:
    """Sources of a model that runs an expression of ``n``."""
    return {"tfser_model.c": f"{BEGIN}{body}\nint tfser_model_run(const int8_t *input, int8_t *output, void *arena) "
                             f"{{ int n = input[0]; (void)output; (void)arena; return ({run}) + 1; }}\n"}


@needs_compiler
@each_core
def test_a_chain_adds_up(core):
    body = "FUNCTION(c, 400) END FUNCTION(b, 200) USE(c(n)) END FUNCTION(a, 100) USE(b(n)) END"
    bounds = stack_bounds(model(body, "a(n)"), core)
    assert set(bounds) == {"tfser_model_run"}
    assert 700 <= bounds["tfser_model_run"] <= 700 + FRAMES


@needs_compiler
@each_core
def test_of_two_ways_the_deeper_counts(core):
    body = ("FUNCTION(d, 400) END FUNCTION(b, 200) USE(d(n)) END FUNCTION(a, 100) USE(d(n)) END "
            "FUNCTION(beside, 500) END")
    assert 600 <= stack_bounds(model(body, "a(n) + b(n) + beside(n)"), core)["tfser_model_run"] <= 600 + FRAMES


@needs_compiler
@each_core
def test_files_are_joined_and_local_names_kept_apart(core):
    one = model("int other(int n); FUNCTION(leaf, 40) END", "leaf(n) + other(n)")
    two = model("int other(int n); FUNCTION(leaf, 800) END int other(int n) { return leaf(n) * 2; }", "n")
    two_text = two["tfser_model.c"].replace("int tfser_model_run", "int unused").replace("tfser_model_run", "unused")
    bounds = stack_bounds({**one, "tfser_other.c": two_text}, core)
    assert 800 <= bounds["tfser_model_run"] <= 800 + FRAMES


@needs_compiler
@each_core
def test_the_library_counts(core):
    calls = "FUNCTION(clear, 40) USE(memset(*(char **)arena_of, 0, (unsigned)n) != 0) END"
    with_call = stack_bounds(model(f"static int arena_of[1]; {calls}", "clear(n)"), core)["tfser_model_run"]
    without = stack_bounds(model("FUNCTION(clear, 40) END", "clear(n)"), core)["tfser_model_run"]
    assert 16 <= with_call - without <= 16 + FRAMES / 2


@needs_compiler
@each_core
def test_pushes_in_assembly_count(core):
    """The piece that takes the most counts, beside what GCC knows."""
    asm = 'FUNCTION(f, 40) __asm volatile("%s" : : : "memory"); __asm volatile("%s" : : : "memory"); END'
    taking = ("push {r4-r7, lr}\\n sub sp, #40\\n add sp, #40\\n pop {r4-r7, lr}", "push {r4}\\n pop {r4}")
    bounds = [stack_bounds(model(asm % pieces, "f(n)"), core)["tfser_model_run"] for pieces in (("nop", "nop"), taking)]
    assert bounds[1] - bounds[0] == 20 + 40
    naked = ("__attribute__((naked, noinline)) static int f(int n __attribute__((unused))) "
             '{ __asm volatile("push {r4-r11, lr}\\n sub sp, sp, #112\\n add sp, sp, #112\\n pop {r4-r11, pc}"); }')
    leaf = stack_bounds(model("FUNCTION(f, 4) END", "f(n)"), core)["tfser_model_run"]
    assert 148 <= stack_bounds(model(naked, "f(n)"), core)["tfser_model_run"] <= 148 + leaf


REFUSED = {
    "recursion": ("FUNCTION(f, 40) if (n > 0) { USE(f(n - 1) * array[0]) USE(f(n - 2)) } END", "f(n)",
                  "FG-IMG-30.*tfser_model_run -> tfser_model.c:f -> tfser_model.c:f"),
    "two that call each other": ("APART static int g(int n); FUNCTION(f, 40) USE(g(n)) END "
                                 "APART static int g(int n) { return n > 0 ? f(n - 1) + 1 : 0; }", "f(n)",
                                 "FG-IMG-30.*f -> tfser_model.c:g -> tfser_model.c:f"),
    "array of variable length": ("APART static int f(int n) { volatile char a[n]; a[0] = 1; return a[n - 1]; }",
                                 "f(n)", "FG-IMG-31.*tfser_model.c:f"),
    "alloca": ("APART static int f(int n) { volatile char *a = __builtin_alloca((unsigned)n); a[0] = 1; "
               "return a[n - 1]; }", "f(n)", "FG-IMG-31.*tfser_model.c:f"),
    "pointer": ("int (*volatile chosen)(int); FUNCTION(f, 40) USE(chosen(n)) END", "f(n)",
                "FG-IMG-32.*tfser_model.c:f"),
    "pointer in the last call": ("int (*volatile chosen)(int); APART static int f(int n) { return chosen(n); }",
                                 "f(n)", "FG-IMG-32.*tfser_model.c:f"),
    "unknown": ("int missing(int); FUNCTION(f, 40) USE(missing(n)) END", "f(n)",
                "FG-IMG-33.*tfser_model.c:f -> missing"),
    "heap": ("void *malloc(size_t); FUNCTION(f, 40) USE(malloc((unsigned)n) != 0) END", "f(n)", "FG-IMG-33.*malloc"),
    "call in assembly": ('FUNCTION(f, 40) __asm volatile("bl memset" : : : "memory", "lr"); END', "f(n)",
                         "FG-IMG-34.*assembly of f.*bl memset"),
    "assembly outside": ('__asm("thing: push {r4}"); int thing(int); FUNCTION(f, 40) USE(thing(n)) END', "f(n)",
                         "FG-IMG-33.*tfser_model.c:f -> thing"),
}


@needs_compiler
@each_core
@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_bound_is_refused(core, case):
    body, run, said = REFUSED[case]
    with pytest.raises(FirmwareError, match=said):
        stack_bounds(model(body, run), core)


@needs_compiler
def test_what_is_not_called_is_not_asked():
    body = f"{REFUSED['array of variable length'][0]} int other(int n); int other(int n) {{ return f(n); }}"
    assert stack_bounds(model(body, "n"), CORES["cortex-m3"])["tfser_model_run"] <= FRAMES


@needs_compiler
def test_sources_without_a_model_are_said():
    with pytest.raises(ToolError, match=r"FG-IMG-36.*tfser_model_run"):
        stack_bounds({"a.c": "int f(void); int f(void) { return 1; }"}, CORES["cortex-m3"])


@pytest.mark.parametrize(("assembly", "taken"), [
    ("push {r4, r5, lr}", 12), ("push {r4-r11, lr}", 36), ("1: push.w {r0-r3, fp, ip}; pop {r0-r3, fp, ip}", 24),
    ("stmdb sp!, {r4-r7}", 16), ("vpush {d8-d15}", 64), ("vpush.64 {d8}", 8), ("vstmdb sp!, {s16-s19}", 16),
    ("sub sp, sp, #112", 112), ("SUB SP, #0x20", 32), ("str.w lr, [sp, #-8]!", 8), ("strd r0, r1, [sp, #-16]!", 16),
    ("2: push {r4}\n push {r5}\n bne 2b", 8), ("@ push {r4}", 0), ("ldm sp, {r4-r11}", 0), ("add r0, sp, #8", 0),
    ("mov r12, sp", 0), ("ldr pc, [sp, #96]", 0), ("ldr r0, [sp], #4", 0), ("ldmia sp!, {r4}", 0), ("str sp, [r0]", 0),
    ("bx lr", 0), ("beq 4f\n b.w 1b", 0), ("blt 1b\n ble 1b\n bls 1b\n bics r0, r1", 0),
    (".irp r,4,5\n add r\\r, r0\n .endr\n push {r6}", 4)])
def test_bytes_that_assembly_takes(assembly, taken):
    assert pushed_bytes(assembly, "f") == taken


@pytest.mark.parametrize("assembly", [
    "mov sp, r0", "sub sp, sp, r0", "sub sp, #SIZE", "add sp, sp, #-8", "add sp, r0", "ldr sp, [r0]", "bic sp, sp, #7",
    "ldr r0, [sp, #-4]!", "ldr r0, [sp], #-4", "str r0, [sp], #-4", "str r0, [sp, r1]!", "stmia sp!, {r0}",
    "push {LIST}", "msr msp, r0", "msr psp, r0", ".irp r,4,5\n push {r\\r}\n .endr", ".rept 3\n push {r4}\n .endr",
    "bl f", "bleq f", "blx r3", "bx r3", "b f", "b.w memset", "bne f", "cbz r0, f", "cbnz r0,f", "mov r13, r0"])
def test_what_assembly_may_not_do(assembly):
    with pytest.raises(CheckFailed, match="FG-IMG-34"):
        pushed_bytes(assembly, "f")


@pytest.mark.parametrize(("graph", "assembly"), [
    ('node: { title: "f" label: "f\\na.c:1:1\\nmany bytes (static)" }', ""),
    ('node: { title: "f" label: "f\\na.c:1:1\\n8 bytes (static)" }', ""),
    ("edge: from f to g", ""), ('node: { title: "f" }', "")])
def test_a_graph_that_cannot_be_read_is_said(graph, assembly):
    with pytest.raises(ToolError, match="FG-IMG-35"):
        read_call_graph(f'graph: {{ title: "a.c"\n{graph}\n}}\n', assembly)


def test_more_stack_than_the_bound_is_said():
    bounds = {"tfser_init": 40, "tfser_classify": 700}
    require_within(700, bounds)
    with pytest.raises(CheckFailed, match=r"FG-IMG-37.*704.*tfser_classify.*700"):
        require_within(704, bounds)


def require_close(used: int, bound: int) -> None:
    assert used <= bound <= RATIO * used + FRAMES


@needs_chip
@each_core
def test_registers_spilled_below_the_callers_frame_count(core):
    """The deepest way goes through parameters that GCC leaves out of its figure, and through assembly."""
    body = """#include <stdarg.h>
    #define SPILLS(name, next) APART static int name(int n, ...) { \\
        va_list rest; va_start(rest, n); int sum = va_arg(rest, int) + next; va_end(rest); return sum; }
    __attribute__((naked, noinline)) static int deep(int n __attribute__((unused))) {
        __asm volatile("push {r4-r11, lr}\\n sub sp, #64\\n str r0, [sp]\\n add sp, #64\\n pop {r4-r11, pc}"); }
    SPILLS(f1, deep(n)) SPILLS(f2, f1(n, n)) SPILLS(f3, f2(n, n))"""
    sources = {**small_model.files(), **model(body, "f3(n, n) * 0 - 1")}
    used = simulate(link_image(sources, core), core.qemu_machine, small_model.inputs(1)).stack_bytes[0]
    bound = stack_bounds(sources, core)["tfser_model_run"]
    assert used >= 100 + 3 * 16
    assert used <= bound <= used + 16


@needs_chip
@each_core
def test_a_model_stays_below_its_bound(core, shared_models):
    compiled = compile_model((shared_models / "kws_ref_model.tflite").read_bytes(), core)
    size = int(re.search(r"TFSER_MODEL_INPUT_BYTES (\d+)", compiled.files["tfser_model.h"])[1])
    x = np.random.default_rng(0).integers(-128, 128, (1, size)).astype(np.int8)
    used = simulate(link_image(compiled.files, core), core.qemu_machine, x).stack_bytes[0]
    require_close(used, stack_bounds(compiled.files, core)["tfser_model_run"])


@needs_chip
@each_core
def test_an_application_stays_below_its_bound(core, shared_models):
    content = (shared_models / "conformer_bn.tflite").read_bytes()
    compiled = compile_application(content, describe(content), core)
    bounds = stack_bounds(compiled.files, core)
    assert tuple(bounds) == ENTRIES
    declared = {name for text in ("tfser.h", "tfser_model.h")
                for name in re.findall(r"^int (tfser_\w+)\(", compiled.files[text], re.MULTILINE)}
    assert declared == set(ENTRIES)
    samples = int(re.search(r"TFSER_WINDOW_SAMPLES (\d+)", compiled.files["tfser.h"])[1])
    pcm = np.random.default_rng(0).integers(-9000, 9000, samples).astype(np.int16)
    heard = listen_on_chip(link_image(compiled.files, core), core.qemu_machine, record([(pcm, [samples])], 16000, 4))
    require_within(max(heard.stack_bytes), bounds)
    require_close(max(heard.stack_bytes), bounds["tfser_classify"])
