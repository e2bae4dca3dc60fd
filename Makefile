# Two commands do all the set-up on a machine with Python 3.11 or newer:
#   make demo   a real example, from spec to results and generated files
#   make test   everything that needs no foreign engine
# `make help` lists the rest.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: figures help demo test check lint types wheel conformance engines bench docs clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(VENV)/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "mlspec needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[examples]'
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[dev,examples]'
	@touch $@

## make demo         set up, then validate, draw, compile and run examples/digits
demo: $(VENV)/.base
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

## make test         set up, then every test that needs no foreign engine
test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "not engine and not slow"

## make check        lint, format, types, import contracts, spelling
check: lint types

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell mlspec docs README.md CONTRIBUTING.md changes templates

types: $(VENV)/.dev
	@$(BIN)/mypy

## make wheel        build the wheel and run the golden tests against it from elsewhere
wheel: $(VENV)/.dev
	@sh tests/wheel/run.sh

## make engines      install the real engines and validators (Airflow, act, Argo's validator, DVC, …)
engines:
	@bash tests/engines/install.sh

## make figures      the figures of gates and drift, measured beside the design's
figures: $(VENV)/.dev
	@$(BIN)/python bench/figures.py

## make conformance  the same pipelines on the real engines, and every slow test
conformance: $(VENV)/.dev engines
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "engine or slow"

## make bench        measure speed beside the peers (docs/explanation/speed.md)
bench: $(VENV)/.dev
	@bash tests/engines/install.sh bench airflow
	@$(BIN)/python bench/run.py

## make docs         regenerate reference pages; `make docs CHECK=--check` only compares
docs: $(VENV)/.dev
	@$(BIN)/python docs/generate.py $(CHECK)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist
