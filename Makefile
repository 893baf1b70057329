# `make` alone lists the targets. Every target sets up what it needs, once; stamp files inside the environments say with what.
PYTHON ?= python3
PORT ?= 4280
ARGS ?=
REDOCLY := @redocly/cli@2.77.0

VENV := .venv
RUN_VENV := .venv-run
REFERENCE_VENV := .venv-reference
BIN := $(VENV)/bin
SETUP := $(VENV)/.made
BASE := $(RUN_VENV)/.made
REFERENCE := $(REFERENCE_VENV)/.made
TORCH := torch==2.13.0

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup run reference clients browser postgres test fmt lint types generated generate check conformance mutants mutants-reference docs docs-serve bench bench-reference lint-openapi wheel container lock clean

help: ## list the targets
	@echo "make TARGET [PYTHON=python3.12] [PORT=4280] [ARGS='...']"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## make .venv with everything that the tests need

run: $(BASE) ## start the mock on PORT (4280) from an environment of its own with the base install
	@$(RUN_VENV)/bin/novita-mock --port $(PORT) $(ARGS)

REFERENCE_PORT ?= 4290
reference: $(REFERENCE) ## start the reference implementation on REFERENCE_PORT (4290) from an environment of its own, with torch
	@$(REFERENCE_VENV)/bin/novita-reference serve --port $(REFERENCE_PORT) $(ARGS)

clients: $(SETUP) ## install the vendor's own clients below .clients (needs node and npm)
	@command -v npm >/dev/null || { echo "the JavaScript clients need node and npm; CLIENTS=no leaves the client tests out"; exit 2; }
	@$(BIN)/python -m tests.clients.environments

browser: $(SETUP) ## look for Chromium and fetch what the tests of the inspector page need (node and npm)
	@command -v chromium chromium-browser google-chrome >/dev/null || { echo "the tests of the inspector need Chromium (apt-get install chromium); BROWSER=no leaves them out"; exit 2; }
	@command -v npm >/dev/null || { echo "the tests of the inspector need node and npm; BROWSER=no leaves them out"; exit 2; }
	@$(BIN)/python -m tests.mockserver.inspector.axe

postgres: ## look for PostgreSQL, which the tests of several servers start
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo "the tests of several servers need PostgreSQL (apt-get install postgresql); RAY=no leaves them out"; exit 2; }

CLIENTS ?= yes
BROWSER ?= yes
RAY ?= yes
WORKERS ?= logical
LEFT_OUT := $(if $(filter yes,$(CLIENTS)),,and not clients) $(if $(filter yes,$(BROWSER)),,and not browser) $(if $(filter yes,$(RAY)),,and not ray)
test: $(SETUP) $(if $(filter yes,$(CLIENTS)),clients) $(if $(filter yes,$(BROWSER)),browser) $(if $(filter yes,$(RAY)),postgres) ## run the tests (CLIENTS=no: without the vendor's clients; BROWSER=no: without a browser; RAY=no: without Ray and PostgreSQL; WORKERS=0: one after the other)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(if $(strip $(LEFT_OUT)),-m 'not slow $(strip $(LEFT_OUT))') $(ARGS)

fmt: $(SETUP) ## format the code and repair what the linter can
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

lint: $(SETUP) ## look for format and lint errors
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(SETUP) ## check the types
	$(BIN)/mypy

generate: $(SETUP) clients ## write the generated files again
	$(BIN)/python -m openapi.build
	$(BIN)/python -m openapi.requirements --write
	$(BIN)/python docs/make_life_cycle.py --write
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_prices.py
	$(BIN)/python docs/make_faults.py
	$(BIN)/python docs/make_findings.py
	$(BIN)/python docs/make_features.py
	$(BIN)/python docs/make_models.py
	$(BIN)/python docs/make_cli.py --write
	$(BIN)/python docs/make_fault_table.py --write
	$(BIN)/python docs/make_weaknesses.py --write
	$(BIN)/python docs/make_sweep.py --write
	$(BIN)/python -m conformance.planning --write
	$(BIN)/python -m tests.contract.documented_table --write

generated: $(SETUP) ## look for generated files that are out of date
	$(BIN)/python -m openapi.build --check
	$(BIN)/python -m openapi.requirements --check
	$(BIN)/python docs/make_life_cycle.py --check
	$(BIN)/python docs/make_reference.py --check
	$(BIN)/python docs/make_prices.py --check
	$(BIN)/python docs/make_faults.py --check
	$(BIN)/python docs/make_findings.py --check
	$(BIN)/python docs/make_features.py --check
	$(BIN)/python docs/make_models.py --check
	$(BIN)/python docs/make_cli.py --check
	$(BIN)/python docs/make_fault_table.py --check
	$(BIN)/python -m tests.contract.documented_table --check

check: lint types generated docs test ## everything that CI demands

DOCS_PORT ?= 8000
TARGET ?= http://127.0.0.1:$(PORT)
conformance: $(SETUP) ## judge the server at TARGET (NOVITA_API_KEY=KEY make conformance TARGET=URL ARGS='--strict')
	$(BIN)/novita-conformance run $(TARGET) $(ARGS)

mutants: $(SETUP) ## run every mutant against the suite and write the kill matrix (a quarter of an hour on two idle cores)
	$(BIN)/python -m conformance.mutants.matrix --write $(ARGS)

mutants-reference: $(SETUP) ## the same over the reference implementation, with a painter in the place of its models
	$(BIN)/python -m conformance.mutants.matrix --upstream "python -m tests.reference.painted --s3-endpoint {s3}" --control /__test \
	  --keys sk-reference-one sk-reference-two --page docs/conformance/mutants-reference.md $(ARGS)

bench: $(SETUP) ## compare speed with the limit and other mock servers (wrk; npm for the others); ARGS=--write keeps the table
	$(BIN)/python -m benchmarks $(ARGS)

bench-reference: $(SETUP) ## compare the reference server with a bare diffusers loop (ARGS='--device cuda'; --write keeps the table)
	$(BIN)/python -m benchmarks.reference $(ARGS)

docs: $(SETUP) ## build the site of docs/ into build/site; whatever is broken or orphaned is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build  # not --quiet, which keeps warnings from being counted

docs-serve: $(SETUP) ## show the site of docs/ on DOCS_PORT (8000) while you write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:$(DOCS_PORT)

lint-openapi: ## lint the document with redocly (needs npm)
	@command -v npx >/dev/null || { echo "redocly comes from npm: install node and npm"; exit 2; }
	npx --yes $(REDOCLY) lint openapi/openapi.yaml

wheel: $(SETUP) ## build the wheel into dist/, install it into a clean environment and ask it
	rm -rf dist build/wheel-venv
	$(BIN)/python -m hatchling build -t wheel
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/pip install --quiet dist/*.whl
	$(PYTHON) .ci/ask.py build/wheel-venv/bin/novita-mock

container: $(SETUP) ## carry out the Dockerfile's commands in a clean virtual environment, without a container engine
	$(BIN)/python .ci/container.py

lock: ## take the newest versions and write constraints.txt
	rm -rf build/lock-venv
	$(PYTHON) -m venv build/lock-venv
	build/lock-venv/bin/pip install --quiet $(TORCH)
	build/lock-venv/bin/pip install --quiet '.[dev,reference]'
	{ head -1 constraints.txt; build/lock-venv/bin/pip list --format=freeze | grep -vE '^(novita-mock|pip|setuptools)=' | sed 's/^\(torch==[0-9.]*\)+.*/\1/' | sort -f; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove environments, caches and builds
	rm -rf $(VENV) $(RUN_VENV) $(REFERENCE_VENV) .clients .bench build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(SETUP): pyproject.toml constraints.txt
	@$(call make_venv,$(VENV))
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,reference]'
	@touch $@

$(BASE): pyproject.toml
	@$(call make_venv,$(RUN_VENV))
	@echo "installing into $(RUN_VENV)"
	@$(RUN_VENV)/bin/pip install --quiet --editable .
	@touch $@

$(REFERENCE): pyproject.toml constraints.txt
	@$(call make_venv,$(REFERENCE_VENV))
	@echo "installing into $(REFERENCE_VENV); torch is large"
	@$(REFERENCE_VENV)/bin/pip install --quiet $(TORCH)
	@$(REFERENCE_VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[reference,s3]'
	@touch $@

define make_venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, such as make PYTHON=python3.12"; exit 2; }
@test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
endef
