# Few verbs. `make demo` and `make test` are all a new user needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CLUSTER ?= sandbox

.PHONY: help install dev demo check lint test bench fuzz lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make install   .venv with the `converge` command
install: $(VENV)/.runtime
$(VENV)/.runtime: pyproject.toml requirements/runtime.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

dev: $(VENV)/.dev
$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

## make demo      GitOps end to end on this machine (CLUSTER=real: on a real control plane)
demo: install
	$(BIN)/converge demo --cluster $(CLUSTER)

## make check     lint, types, layers and the fast tests
check: lint
	$(BIN)/pytest -q -n 2 -m "not cluster and not slow and not helm and not sops and not tofu"

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

## make test      all tests; what needs Go, terraform or another tool says so where it is missing
test: dev
	$(BIN)/pytest -q -n 2

## make bench     side by side with peers and the physical floor, as ratios
bench: dev
	$(BIN)/python -m benchmarks

## make fuzz      ten minutes of hostile input
fuzz: dev
	CONVERGE_SEED=new $(BIN)/pytest -q tests/fuzz tests/documents tests/render --fuzz-seconds 600

# The locks name no index: hashes alone pin what is installed.
lock:
	uv pip compile -q --upgrade --generate-hashes --no-annotate --no-header --universal --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --upgrade --generate-hashes --no-annotate --no-header --universal --python-version 3.11 requirements/build.in -o requirements/build.txt
	uv pip compile -q --upgrade --generate-hashes --no-annotate --no-header --universal --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
