# Watchkeeper. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Without its compiled modules each process compiles 1,400 of them anew: half of the time it needs to start.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
INPUTS := pyproject.toml client/pyproject.toml requirements/run.lock requirements/dev.lock scripts/bootstrap.sh
# Two stamps: what `make run` needs is a third of what the tests need, and a newcomer should not wait for the rest.
RUN := .venv/.ready-run
DEV := .venv/.ready-dev

.PHONY: help run test check format docs bench lock audit clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: $(RUN) ## Start Watchkeeper with the sample product Duet and its traffic; Ctrl-C stops all (ARGS="--port 8701")
	@exec $(BIN)/watchkeeper demo $(ARGS)

test: $(DEV) ## Run the tests on SQLite, PostgreSQL and in a browser (ARGS="tests/kernel -x")
	@scripts/test-deps.sh
	@scripts/run-tests.sh $(ARGS)

check: $(DEV) ## Format, lint, types, import contracts, security lint
	@scripts/check.sh

format: $(DEV) ## Rewrite the code in the house format
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

docs: $(DEV) ## Write the generated pages of docs/ anew
	$(BIN)/python -m scripts.generate_docs

bench: $(DEV) ## Measure what docs/benchmarks.md states (about half an hour); `bench/README.md` has single ones
	@bench/run-all.sh

lock: $(DEV) ## Resolve requirements/*.lock anew; UPGRADE=1 takes newer versions
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

audit: $(DEV) ## Compare the locked packages with known vulnerabilities (needs network)
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/dev.lock

clean: ## Remove what was built or cached; data directories stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist var
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): $(INPUTS)
	@scripts/bootstrap.sh run

$(DEV): $(INPUTS)
	@scripts/bootstrap.sh dev
