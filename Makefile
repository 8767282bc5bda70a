# Everything here runs on a machine with Python 3.11 or 3.12 and make; each target
# sets up what it needs in .venv, from locks with hashes, and reuses it afterwards.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q
unexport PYTHONDONTWRITEBYTECODE # else each of hundreds of processes compiles all that it imports

PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)

.PHONY: help demo test check lint bench mutants soak lock clean

help: ## show what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

.venv/.installed: requirements-uv.lock requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed and neither is on the PATH"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing locked dependencies into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.installed ## two recordings through both engines, with their verdicts
	@$(BIN)/migrate demo

test: .venv/.installed ## every test, on real servers
	@$(BIN)/python -m tests.whole_run

check: .venv/.installed lint ## lint, types and the fast tests (about two and a half minutes)
	@$(PYTEST) -m "not live and not heavy" -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.installed ## every figure we claim, as a ratio measured in one run
	@for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

mutants: .venv/.installed ## mutants of the steps' code: each noticed or explained (docs/results/mutants.md)
	@$(BIN)/python -m bench.mutants

soak: .venv/.installed ## the tests of faults and deaths with the requirements' own timeouts (hours)
	@MIGRATE_SOAK=1 $(PYTEST) tests/test_conductor_restart.py tests/test_conductor_faults.py \
		-v --durations=15

lock: .venv/.installed ## resolve the dependencies again
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra sandbox --group dev \
		-o requirements-dev.lock pyproject.toml
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-annotate \
		--no-emit-index-url --no-emit-find-links -c requirements-dev.lock \
		-o requirements.lock pyproject.toml

clean: ## remove .venv and what runs left in this folder
	@rm -rf .venv .sandbox out .mypy_cache .ruff_cache .pytest_cache .hypothesis
