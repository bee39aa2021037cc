# Two commands do everything: `make build` and `make test`. `make help` lists the rest.
BIN := .venv/bin
TARGET ?= cortex-m7
OUT ?= build/$(TARGET)
# Test processes; each loads TensorFlow (about 1 GB).
WORKERS ?= 2
# More arguments for pytest: make test PYTEST_ARGS="tests/reparam -x"
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: build test setup lint lock clean help

build: setup  ## Firmware source of the shipped checkpoint, checked, in build/TARGET
	$(BIN)/tfser build --target $(TARGET) --out $(OUT)

# Kernels are compiled again and again, with the same flags: where ccache is installed, once. It looks for compilers in
# the PATH from here, not in that of a test which puts one of its own in front.
test: export CCACHE_PATH := $(PATH)
test: export PATH := /usr/lib/ccache:$(PATH)
test: export CCACHE_DIR := $(CURDIR)/build/ccache
# Hundreds of Python processes start: each would compile what it imports.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint  ## Lint, types and the whole test suite
	@tools/setup.sh tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

setup:  ## Virtual environment, locked packages, Arm toolchain where permitted
	@tools/setup.sh

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: setup  ## Write requirements.lock again from setup.cfg
	tools/lock.sh --upgrade

clean:  ## Remove what the tools wrote; keeps .venv and runs/
	rm -rf build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find tfser firmware_gen tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## This text
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
