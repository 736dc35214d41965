# `make` lists the targets. Needs Python 3.11 or newer and a package index; .venv is set up on first use.

STACK  ?= staging
PYTHON ?= python3
# The one on the PATH, the one that `make pulumi` fetched, or that of the vendor's installer.
PULUMI ?= $(or $(shell command -v pulumi 2> /dev/null),$(firstword $(wildcard $(FETCHED) $(HOME)/.pulumi/bin/pulumi)))
FETCHED = $(HOME)/.pulumi/versions/$(shell sed -n 's/^pulumi==\([0-9.]*\).*/\1/p' requirements.txt)/bin/pulumi

.DEFAULT_GOAL := help
.SHELLFLAGS := -eu -c
MAKEFLAGS += --no-builtin-rules

VENV    := .venv
PY      := $(VENV)/bin/python
RUNBOOK := $(PY) -m runbook
# Written last, so that an interrupted installation is repeated.
CAN_RUN  := $(VENV)/.can-run
CAN_TEST := $(VENV)/.can-test
# The lock files name every package with its hash; nothing else is installed, and nothing is resolved.
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: help preview audit mutate test check format-check lint types format up pulumi lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  STACK=$(STACK) names the stack, PYTHON=$(PYTHON) the interpreter that .venv is made with."
	@echo "  Whatever fails, make ends with 2; the exit code of the command is in its last line (\"Error 1\")."
	@echo "  Where the code counts, call $(VENV)/bin/runbook: 0 clean, 1 a mandatory rule is broken, 2 a mistake."

preview: $(CAN_RUN) ## Preview STACK offline: its resources and what the rules say of them
	@$(RUNBOOK) preview $(STACK)

audit: $(CAN_RUN) ## Evaluate all rules over every stack
	@$(RUNBOOK) audit

mutate: $(CAN_RUN) ## Weaken every property of prod and staging and count what the rules notice (10 minutes)
	@$(PY) -m runbook.mutate

test: $(CAN_TEST) ## Run the whole test suite
	@$(PY) -m pytest -n auto

check: format-check lint types test audit ## Format, lint, strict types, tests, and the audit of every stack

format-check: $(CAN_TEST)
	@$(PY) -m ruff format --check .

lint: $(CAN_TEST)
	@$(PY) -m ruff check .

types: $(CAN_TEST)
	@$(PY) -m mypy

format: $(CAN_TEST) ## Put the code into its form
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

# The preview and the policy pack keep a half-made stack away: neither is ever left out.
up: ## Deploy STACK with the Pulumi CLI and the policy pack
	@[ -n "$(PULUMI)" ] && command -v "$(PULUMI)" > /dev/null || { \
	  echo "make up needs the Pulumi CLI, and there is none$(if $(PULUMI), at $(PULUMI)). Nothing was changed."; \
	  echo "Get it in one of these ways, then repeat the command:"; \
	  echo "  make pulumi                              the release that fits the SDK, fetched by the SDK itself"; \
	  echo "                                           (pulumi.automation.PulumiCommand.install())"; \
	  echo "  curl -fsSL https://get.pulumi.com | sh   the vendor's installer"; \
	  exit 2; } >&2
	@$(MAKE) --silent --no-print-directory $(CAN_RUN)
	@"$(PULUMI)" up --stack "$(STACK)" --policy-pack policies

pulumi: $(CAN_RUN) ## Fetch the Pulumi CLI that fits the SDK
	@$(PY) -c 'from pulumi.automation import PulumiCommand; print(PulumiCommand.install().command)'

lock: build/lock/bin/uv ## Resolve pyproject.toml anew into the two lock files
	@for out in requirements.txt requirements-dev.txt; do \
	  extra=; [ $$out = requirements.txt ] || extra="--extra dev --constraint requirements.txt"; \
	  build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --upgrade $$extra pyproject.toml --output-file $$out; \
	done

build/lock/bin/uv:
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv

clean: ## Remove what the targets above made
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .hypothesis *.egg-info

$(PY):
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=python3.12 …" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1); 3.11 or newer is needed. Name one: make PYTHON=python3.12 …" >&2; exit 2; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu, install the package python3-venv." >&2; exit 2; }

$(CAN_RUN): requirements.txt pyproject.toml | $(PY)
	@echo "Setting up $(VENV) (once; it takes a minute or two)" >&2
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(CAN_TEST): requirements-dev.txt $(CAN_RUN)
	@echo "Adding the tools for tests to $(VENV)" >&2
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
