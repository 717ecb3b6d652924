# Everything is made in .venv, from the pinned and hashed packages of requirements/.

PYTHON ?= python3
# Hundreds of processes are started; each would compile all modules anew where the environment forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
BIN := $(VENV)/bin
# The first q silences pip's progress, the second its warnings about the machine's own configuration; errors stay.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install -qq --progress-bar off --require-hashes --no-build-isolation
COMPILER := uv==0.13.8
# Processes with servers of their own, twice as many as cores, since much is waited for; who is done takes half of what
# another has left.
SOME := -n 4 --dist worksteal

# Each of these files says that one step of the installation was finished, and is younger than what that step read.
# They lie in .venv, so that removing it forgets them.
ENVIRONMENT := $(VENV)/.environment
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
PROJECT := $(VENV)/.project

# The prerequisites below are in the order in which they have to be done.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  ARGS="..." is handed on by demo, check, test, test-long, bench and requirements; PYTHON=... chooses the interpreter (3.11 to 3.13).'

.PHONY: setup
setup: check-setup $(RUNTIME) $(PROJECT)  ## Make .venv with all that Outpatrol needs to run
	@echo "==> Ready: $(BIN)/outpatrol --help"

.PHONY: demo
demo: check-demo $(RUNTIME) $(PROJECT)  ## Score a day of real edits with servers that are started for it
	@$(BIN)/outpatrol demo $(ARGS)

.PHONY: test
test: check-test $(DEVELOPMENT) $(PROJECT) servers lint types layers  ## Check format, style, types and layers, then run the tests
	@echo "==> Running the tests"
	@$(BIN)/pytest $(SOME) $(ARGS)

.PHONY: test-long
test-long: check-test $(DEVELOPMENT) $(PROJECT) servers  ## Run what `test` leaves out: the long runs, and property tests with all examples
	@echo "==> Running the long tests"
	@OUTPATROL_TEST_PROFILE=full $(BIN)/pytest $(SOME) -m 'long or property' $(ARGS)

.PHONY: check
check: check-setup $(DEVELOPMENT) $(PROJECT) lint types layers  ## While writing: format, style, types, layers and the tests without servers, in a minute
	@echo "==> Running the tests that need no server"
	@$(BIN)/pytest $(SOME) -m 'pure and not long' $(ARGS)

.PHONY: lint
lint: check-setup $(DEVELOPMENT) $(PROJECT)  ## Check format and style
	@echo "==> Checking the format"
	@$(BIN)/ruff format --check .
	@echo "==> Checking the style"
	@$(BIN)/ruff check .

.PHONY: types
types: check-setup $(DEVELOPMENT) $(PROJECT)  ## Check the types
	@echo "==> Checking the types"
	@$(BIN)/mypy

.PHONY: layers
layers: check-setup $(DEVELOPMENT) $(PROJECT)  ## Check that each layer imports only those below it
	@echo "==> Checking the layers"
	@$(BIN)/lint-imports

.PHONY: bench
bench: check-test $(DEVELOPMENT) $(PROJECT) servers  ## Measure; all columns are written to docs/speed.json, with their picture
	@$(BIN)/python -m benchmarks --write docs $(ARGS)

.PHONY: requirements
requirements: check-setup $(ENVIRONMENT)  ## Pin the packages anew after a change of pyproject.toml (all to the latest: ARGS=--upgrade)
	@echo "==> Pinning the packages"
	@$(PIP) install -qq --progress-bar off '$(COMPILER)'
	@$(call pin,development) --extra development $(ARGS)
	@$(call pin,runtime) --extra demo --extra emulators --extra kafka --extra web --constraints requirements/development.txt
	@$(call pin,worker) --extra emulators --extra kafka --extra web --constraints requirements/development.txt

# One resolution for all Pythons and machines. No address is written down: the packages come from wherever the machine
# that installs them is told to look, and the hashes say that they are the same.
pin = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --annotation-style line \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make requirements' \
	pyproject.toml requirements/build.in --output-file requirements/$(1).txt

.PHONY: clean
clean:  ## Remove .venv and everything else that was made here
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name .git -prune -o -type d -name __pycache__ -exec rm -rf {} +

.PHONY: check-setup check-demo check-test
check-setup check-demo check-test: check-%:
	@scripts/check-machine $*

.PHONY: servers
servers:
	@scripts/install-servers

$(ENVIRONMENT):
	@echo "==> Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUNTIME): requirements/runtime.txt | $(ENVIRONMENT)
	@echo "==> Installing what Outpatrol needs to run"
	@$(INSTALL) -r $<
	@touch $@

# What is needed to run is among it, at the same versions.
$(DEVELOPMENT): requirements/development.txt | $(ENVIRONMENT)
	@echo "==> Installing what Outpatrol needs to run and to be tested"
	@$(INSTALL) -r $<
	@touch $(RUNTIME) $@

$(PROJECT): pyproject.toml | $(RUNTIME)
	@echo "==> Installing Outpatrol itself"
	@$(PIP) install -qq --no-build-isolation --no-deps --editable .
	@touch $@
