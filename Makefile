# nerloop's commands. `make help` lists them; everything lives in .venv and needs Python 3.11 or newer.

PYTHON ?= python3.11
# Name a CPU build here where the package index serves CUDA builds by default, for example
#   make demo TORCH="torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
# Options for the command a target starts, for example: make demo ARGS="--port 8081"
ARGS ?=
# Data sets for tests and benchmarks; tests that need them skip when the folder is absent.
NERLOOP_DATA ?= ../shared/data
export NERLOOP_DATA := $(abspath $(NERLOOP_DATA))
# Threads that wait for each other must not spin where several programs share few cores.
export OMP_WAIT_POLICY ?= PASSIVE
# Label Studio's own environment for the end-to-end tests; about 1 GB, made by `make ls-env`.
LABEL_STUDIO_VENV ?= .cache/label-studio-venv
# Only the tests share that environment; the demo keeps its own unless the variable is exported.
TEST_ENV = LABEL_STUDIO_VENV=$(abspath $(LABEL_STUDIO_VENV))

BIN := .venv/bin
SOURCES := backend worker model tests $(if $(wildcard benchmarks/*.py),benchmarks)
# a failing pip in front of a pipe must fail the recipe
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test check fix docs plugin-env ls-env install clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: .venv/.installed ## start everything with a Label Studio and a project to try it on
	@$(BIN)/nerloop demo $(ARGS)

up: .venv/.installed ## start nerloop for a Label Studio you already have
	@$(BIN)/nerloop up $(ARGS)

test: check ls-env plugin-env ## all checks, then all tests but gpu and soak; sets up what they need
	@$(TEST_ENV) $(BIN)/pytest -m "not gpu and not soak" $(ARGS)

check: .venv/.installed ## format, lint, types, import contracts, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

fix: .venv/.installed ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/.installed ## serve the documentation on http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

plugin-env: .plugin-venv/.installed ## the environment with label-studio-ml, for its users and the test of it

ls-env: .venv/.installed ## Label Studio's environment for the end-to-end tests
	@$(TEST_ENV) $(BIN)/python -P -m backend.launch.label_studio_install

install: .venv/.installed ## the environment alone

clean: ## remove environments, caches and built pages; .nerloop with its data stays
	rm -rf .venv .plugin-venv .cache site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache nerloop.egg-info

# The stamp is written last, so an installation cut short is done again.
.venv/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or \
	newer, or name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is too old: Python 3.11 or newer is needed (make PYTHON=...)." >&2; exit 1; }
	@echo "1/4  environment .venv"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf .venv; $(PYTHON) -m venv .venv; } || { \
		echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install \
	python3.11-venv" >&2; exit 1; }
	@echo "2/4  $(firstword $(TORCH)), the largest part"
	@$(call pip_install,$(BIN)/python,$(TORCH))
	@echo "3/4  nerloop and what it needs"
	@$(call pip_install,$(BIN)/python,-e ".[dev]")
	@echo "4/4  installed"
	@touch $@

.plugin-venv/.installed: backend/plugin/requirements.txt backend/plugin/borrow.py .venv/.installed
	@echo "1/2  environment .plugin-venv"
	@rm -rf .plugin-venv && $(PYTHON) -m venv .plugin-venv
	@echo "2/2  label-studio-ml and a web stack newer than the one it pins"
	@$(call pip_install,.plugin-venv/bin/python,--no-deps -r backend/plugin/requirements.txt)
	@.plugin-venv/bin/python backend/plugin/borrow.py .venv
	@touch $@

# pip, with one short line of progress per package instead of its pages
define pip_install
shown=$$([ -t 1 ] && echo 1 || echo 0); PYTHONUNBUFFERED=1 $(1) -m pip install --no-input \
	--disable-pip-version-check --progress-bar off $(2) 2> >(grep -v "^WARNING: " >&2) | awk -v tty="$$shown" ' \
		/^Collecting|^Requirement already/ { n++; name = /^Coll/ ? $$2 : $$3; sub(/[^A-Za-z0-9_.-].*/, "", name) } \
		/^Collecting/ && tty { printf "\r     package %3d: %-40s", n, name } \
		/^Collecting/ && !tty && (n % 20 == 1) { printf "     package %d: %s\n", n, name } \
		/^Installing collected/ { printf "%s     unpacking%50s\n", (tty ? "\r" : ""), "" } \
		{ fflush() }' || { echo "pip could not install. Is the package index reachable, and is there \
	room on the disk? The lines above say more; the same command goes on from here." >&2; exit 1; }
endef
