#!/usr/bin/env bash
# Set up everything that tfser needs. Fast when there is nothing to do.
#
#   tools/setup.sh             both of the below
#   tools/setup.sh python      .venv with the versions of requirements.lock, and tfser itself (editable)
#   tools/setup.sh toolchain   Arm compiler, QEMU and CMake, through apt where missing and permitted
#   tools/setup.sh tests       TensorFlow Lite Micro's C++ headers and a library, and Debian's tools: for the tests alone
#
# PYTHON=/path/to/python3.12 chooses the Python. Exit code 3: Python or a package could not be had.
# A missing toolchain is said in one line and is no failure: what needs none is still built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV=.venv
readonly TFLM=$VENV/tflm
readonly STAMP=$VENV/.setup-done  # written last: an interrupted set-up starts again
readonly PYTHON_RANGE=3.10-3.13
readonly IN_RANGE='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))'

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "error: $*"; exit 3; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- apt, where this user may ---------------------------------------------------------------------
may_install() {
    has apt-get && { [ "$(id -u)" -eq 0 ] || { has sudo && sudo -n true; }; } 2>/dev/null
}

apt_install() {
    local -a as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    say "apt-get install $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get update -qq && apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends "$@"' \
        sh "$@" </dev/null >/dev/null
}

# --- Python ---------------------------------------------------------------------------------------
in_range() { "$1" -c "$IN_RANGE" >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if in_range "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        in_range "$PYTHON" || fail "PYTHON=$PYTHON is no Python $PYTHON_RANGE ($("$PYTHON" --version 2>&1 || true))"
        printf '%s\n' "$PYTHON"
        return
    fi
    find_python && return
    if ! has python3 && may_install && apt_install python3 python3-venv; then
        find_python && return
    fi
    fail "no Python $PYTHON_RANGE found; install one, or set PYTHON=/path/to/python3"
}

# Debian ships the modules that make a virtual environment as a package of their own.
ensure_venv_module() {
    local python=$1 package
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    may_install && apt_install "$package" && "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    fail "$python cannot make a virtual environment; install $package, or set PYTHON=/path/to/python3"
}

# What the environment depends on; the folder too, because an environment does not survive a move.
stamp_of() {
    pwd
    "$1" -c 'import sys; print(sys.version, sys.base_prefix)'
    cat requirements.lock setup.cfg pyproject.toml | sha256sum
}

setup_python() {
    local python wanted
    python="$(choose_python)"
    wanted="$(stamp_of "$python")"
    [ -x $VENV/bin/python ] && [ "$wanted" = "$(cat $STAMP 2>/dev/null)" ] && return
    ensure_venv_module "$python"
    say "installing the locked packages into $VENV with $("$python" --version) (about 2.6 GB; a minute or two)"
    rm -f $STAMP
    "$python" -m venv --clear $VENV || fail "$python could not make $VENV"
    pip_install --require-hashes --only-binary=:all: -r requirements.lock
    pip_install --no-deps --no-build-isolation -e .
    printf '%s\n' "$wanted" >$STAMP
}

pip_install() {
    $VENV/bin/python -m pip install --quiet --no-input --disable-pip-version-check "$@" </dev/null >&2 ||
        fail "pip could not install: $* (see above; run again to retry)"
}

# In a folder of its own: the package asks for an older NumPy, for a part that is not used here.
setup_tflm() {
    local wanted
    wanted="$(sha256sum <requirements-tflm.lock)"
    [ "$wanted" = "$(cat $TFLM/.setup-done 2>/dev/null)" ] && return
    say "installing TensorFlow Lite Micro's headers for the tests into $TFLM"
    rm -rf $TFLM
    pip_install --require-hashes --only-binary=:all: --no-deps --target $TFLM -r requirements-tflm.lock
    mkdir -p $TFLM
    printf '%s\n' "$wanted" >$TFLM/.setup-done
}

# --- toolchain ------------------------------------------------------------------------------------
# A library is there when the compiler names a path for it; otherwise it echoes the bare name.
has_arm_library() { [ "$(arm-none-eabi-gcc -print-file-name="$1" 2>/dev/null)" != "$1" ] && has arm-none-eabi-gcc; }

missing_packages() {
    has arm-none-eabi-gcc || echo gcc-arm-none-eabi
    has_arm_library libc.a || echo libnewlib-arm-none-eabi
    has_arm_library libstdc++.a || echo libstdc++-arm-none-eabi-newlib
    has qemu-system-arm || echo qemu-system-arm
    has cmake || echo cmake
    has g++ || echo g++
    has make || echo make
}

setup_toolchain() {
    local -a missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -eq 0 ] && return
    may_install && apt_install "${missing[@]}" && return
    say "no toolchain for firmware.elf (all else is built); to get it: sudo apt-get install ${missing[*]}"
}

# A second compiler for the generated C, a browser for the report, what builds Arduino's libraries, a linter, and what
# remembers compiled kernels, without which the tests take longer.
setup_test_tools() {
    local tool
    local -a missing=()
    for tool in clang chromium arduino-builder shellcheck ccache; do
        has "$tool" || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] && return
    may_install && apt_install "${missing[@]}" && return
    say "tests that need ${missing[*]} are skipped, or take longer (ccache); to get it: sudo apt-get install ${missing[*]}"
}

case "${1:-all}" in
    all) setup_python; setup_toolchain ;;
    python) setup_python ;;
    toolchain) setup_toolchain ;;
    tests) setup_tflm; setup_test_tools ;;
    *) say "usage: tools/setup.sh [python|toolchain|tests]"; exit 2 ;;
esac
