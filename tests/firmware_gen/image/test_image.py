"""Images on the emulated chips: they run, count and measure what a model of known cost takes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import small_model
from small_model import PARTS, expected, files, inputs

from firmware_gen.errors import CheckFailed, ToolError
from firmware_gen.image.elf import image_sizes, section_sizes
from firmware_gen.image.host import run_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured, profile_parts
from firmware_gen.image.simulate import INSTRUCTIONS_PER_TICK, instructions, simulate
from firmware_gen.image.toolchain import Unavailable
from firmware_gen.target import CORES

needs_chip = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
each_core = pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)


@needs_chip
@each_core
def test_outputs_are_those_of_the_model(core):
    x = inputs(5)
    run = simulate(link_image(files(), core), core.qemu_machine, x)
    assert np.unique(expected(x)).size > 8
    np.testing.assert_array_equal(run.outputs, expected(x))
    assert len(run.ticks) == len(run.stack_bytes) == 5


@needs_chip
@each_core
def test_the_count_is_that_of_a_loop_of_known_length(core):
    """Two models that differ by 3,000,000 instructions; a tick more or less at either end."""
    ticks = [simulate(link_image(files(turns=turns), core), core.qemu_machine, inputs(1)).ticks[0]
             for turns in (1_000_000, 2_500_000)]
    counted = instructions(ticks[1] - ticks[0], core.qemu_machine)
    assert abs(counted - 3_000_000) <= 2 * INSTRUCTIONS_PER_TICK[core.qemu_machine]


@needs_chip
def test_a_count_beyond_24_bits():
    """The M55's tick is the shortest: SysTick comes round after 524 million instructions."""
    core = CORES["cortex-m55"]
    run = simulate(link_image(files(turns=300_000_000), core), core.qemu_machine, inputs(1))
    assert run.ticks[0] > 1 << 24
    assert abs(instructions(run.ticks[0], core.qemu_machine) - 600_000_000) < 2_000


@needs_chip
@each_core
@pytest.mark.parametrize("deep", [64, 1000, 8000])
def test_the_stack_is_what_the_model_takes(core, deep):
    run = simulate(link_image(files(deep=deep), core), core.qemu_machine, inputs(2))
    assert all(deep - 24 <= used <= deep + 64 for used in run.stack_bytes)


@needs_chip
def test_a_stack_that_overruns_is_found():
    core = CORES["cortex-m3"]
    greedy = files(deep=16_384)
    greedy["tfser_model.c"] = greedy["tfser_model.c"].replace(
        "int8_t total = 0;", "int8_t total = 0; for (int i = 0; i < DEEP; i++) { product[i] = 1; }")
    with pytest.raises(CheckFailed, match="FG-IMG-13"):
        simulate(link_image(greedy, core), core.qemu_machine, inputs(1))


@needs_chip
@each_core
def test_a_profile_adds_up(core):
    """Parts that take turns: each has what it took, without what the change of parts takes."""
    x = inputs(2)
    sources = files(turns=80_000)
    plain, profiled = (simulate(link_image(sources, core, profile=on), core.qemu_machine, x) for on in (False, True))
    np.testing.assert_array_equal(profiled.outputs, expected(x))
    parts = profile_parts(profiled, plain, core, ["sum"])
    assert [part["step"] for part in parts] == ["sum", "part 1", "part 2"]
    assert len(parts) == PARTS
    counted = [part["instructions"] for part in parts]
    assert 100 < counted[0] < 2_000
    assert counted[1] == pytest.approx(120_000, abs=500)
    assert counted[2] == pytest.approx(40_000, abs=500)
    assert sum(counted) == pytest.approx(Measured.of_run(plain, core).figures["instructions_per_inference"], abs=500)


@needs_chip
@each_core
def test_an_image_is_reproduced_to_the_byte(core):
    image = link_image(files(), core)
    assert link_image(files(), core) == image
    assert b"/tmp" not in image


@needs_chip
@each_core
def test_sizes_count_the_model_and_not_the_harness(core):
    sizes = image_sizes(link_image(files(), core))
    assert sizes.weights == small_model.INPUT_BYTES
    assert 60 < sizes.code < 400
    assert sizes.static_ram == 0
    assert 300 < sizes.harness < 1_500
    table = {**files(), "tfser_tables.c": "extern const int table[1000];\nconst int table[1000] = {1};\n"
                                          "extern int state[10];\nint state[10];\n"}
    use = ("extern const int table[1000]; extern int state[10]; state[input[1] & 7] = table[input[1] & 511]; "
           "output[0] = (int8_t)state[input[2] & 7];")
    table["tfser_model.c"] = table["tfser_model.c"].replace("PART(0);", f"PART(0); {use}")
    grown = image_sizes(link_image(table, core))
    assert grown.tables - sizes.tables == 4_000
    assert 0 < grown.code - sizes.code < 100
    assert grown.tables - sizes.tables == 4_000
    assert (grown.weights, grown.static_ram, grown.harness) == (sizes.weights, 40, sizes.harness)


@needs_chip
def test_figures_have_the_manifests_names():
    core = CORES["cortex-m4"]
    image = link_image(files(turns=1_000), core)
    assert set(Measured.of_image(image).figures) == {"flash_code_bytes", "flash_tables_bytes", "flash_weights_bytes",
                                                     "static_ram_bytes", "firmware_elf_bytes"}
    run = simulate(image, core.qemu_machine, inputs(3))
    figures = Measured.of_run(run, core).figures
    assert figures["instructions_per_inference"] == max(run.ticks) * 40
    assert figures["stack_bytes"] == max(run.stack_bytes)


@needs_chip
def test_a_model_that_refuses_is_said():
    refused = np.full((1, small_model.INPUT_BYTES), -128, np.int8)
    core = CORES["cortex-m3"]
    with pytest.raises(CheckFailed, match=r"FG-IMG-12.*-2"):
        simulate(link_image(files(), core), core.qemu_machine, refused)
    with pytest.raises(CheckFailed, match="FG-IMG-12"):
        run_on_host(files(), refused)


@needs_chip
@pytest.mark.parametrize("core", [CORES["cortex-m3"], CORES["cortex-m33"]], ids=lambda core: core.name)
def test_a_model_that_faults_is_said(core):
    broken = {**files(), "tfser_model.c": files()["tfser_model.c"].replace("PART(0);", "__builtin_trap();")}
    with pytest.raises(ToolError, match=r"FG-IMG-14.*faulted"):
        simulate(link_image(broken, core), core.qemu_machine, inputs(1))


@needs_chip
def test_c_that_does_not_compile_is_said():
    with pytest.raises(ToolError, match=r"(?s)FG-IMG-06.*tfser_model.c.*error"):
        link_image({**files(), "tfser_model.c": "int f(void) { return x; }"}, CORES["cortex-m3"])


@needs_chip
@each_core
def test_a_model_beyond_the_boards_memory_is_unavailable(core):
    large = {**files(), "tfser_model.h": small_model.HEADER.replace("BYTES 64", "BYTES 8388608")}
    with pytest.raises(Unavailable, match=r"FG-IMG-09.*RAM by \d+ B"):
        link_image(large, core)


def test_the_host_gives_the_same():
    x = inputs(4)
    np.testing.assert_array_equal(run_on_host(files(), x).outputs, expected(x))


def test_a_crash_on_the_host_is_said():
    broken = {**files(), "tfser_model.c": files()["tfser_model.c"].replace("PART(0);", "__builtin_trap();")}
    with pytest.raises(ToolError, match=r"FG-IMG-16.*SIG(ILL|TRAP)"):
        run_on_host(broken, inputs(1))


@pytest.mark.parametrize(("tool", "code"), [("arm-none-eabi-gcc", "FG-IMG-01"), ("qemu-system-arm", "FG-IMG-02"),
                                            ("cc", "FG-IMG-03")])
def test_a_missing_tool_is_named(tool, code, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    core = CORES["cortex-m3"]
    calls = {"arm-none-eabi-gcc": lambda: link_image(files(), core), "cc": lambda: run_on_host(files(), inputs(1)),
             "qemu-system-arm": lambda: simulate(b"", core.qemu_machine, inputs(1))}
    with pytest.raises(Unavailable, match=code) as caught:
        calls[tool]()
    assert caught.value.exit_code == 3
    assert tool in str(caught.value)


def test_the_hosts_compiler_can_be_chosen(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O1")
    with pytest.raises(Unavailable, match=r"FG-IMG-03.*no-such-compiler -O1"):
        run_on_host(files(), inputs(1))


@needs_chip
def test_an_elf_file_that_is_cut_is_refused():
    image = link_image(files(), CORES["cortex-m3"])
    assert section_sizes(image)[".stack"] == 16 * 1024
    for length in (0, 3, 20, 60, len(image) // 2, len(image) - 1):
        with pytest.raises(Exception, match=r"FG-IMG-0[78]"):
            image_sizes(image[:length])
    with pytest.raises(Exception, match="FG-IMG-08"):
        section_sizes(b"\x7fELF\x02" + image[5:])
