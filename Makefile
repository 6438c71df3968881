# Two commands for a newcomer: `make demo` and `make test`. `make help` lists all.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER ?= kind
# Name of the cluster of `make demo`: two with different names run side by side.
NAME ?= demo
LAB := $(BIN)/python -m hemostat_chaos.cluster
# Runs a command with KUBECONFIG and kubectl of one of our clusters.
IN = eval "$$($(LAB) env --name $(1))" &&
export CLUSTER

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: tests/requirements.lock pyproject.toml
	@echo "[venv] installing the locked dependencies into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@time $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.PHONY: venv
venv: $(VENV)/.ready ## Install the locked dependencies into .venv

.PHONY: demo
demo: venv ## From nothing to healed incidents on real pods
	@$(LAB) up --name $(NAME)
	@$(LAB) image --name $(NAME)
	@$(call IN,$(NAME)) $(BIN)/python -m hemostat_chaos.demo --restart

.PHONY: down
down: venv ## Remove every trace of the clusters of this project
	@$(LAB) down --all

.PHONY: test
test: lint unit fuzz api loop ## From nothing to all tests green
	@$(LAB) down --name test

.PHONY: lint
lint: venv ## ruff, mypy strict, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m hemostat.generate --check

.PHONY: unit
unit: venv ## Pure tests, no I/O, seconds
	@$(BIN)/python -m pytest tests/unit

.PHONY: fuzz
fuzz: venv ## Damaged and hostile input to every parser and port, many examples of every property; seeded
	@$(BIN)/python -m pytest tests/fuzz
	@HEMOSTAT_FUZZ_RUNS=$${HEMOSTAT_FUZZ_RUNS:-200} $(BIN)/python -m pytest tests/unit -m hypothesis --hypothesis-seed=$${HEMOSTAT_FUZZ_SEED:-0}

.PHONY: api
api: venv ## CRDs, CEL, admission and RBAC against a real API server
	@$(LAB) binaries
	@$(BIN)/python -m pytest tests/api tests/cluster

.PHONY: loop
loop: venv ## The whole loop on real pods
	@$(LAB) up --name test --spares 1
	@$(LAB) image --name test --metrics-server
	@$(call IN,test) $(BIN)/python -m pytest tests/loop

.PHONY: bench
bench: bench-data bench-cluster ## All figures into build/bench/*.json (two hours)

.PHONY: bench-data
bench-data: venv ## Figures from recorded and made data: catalogue, gate, audit, acting, nab, rca, series, ingest, healthy_series, agents, who_and_when, memory, diagnosis
	@for name in catalogue gate audit acting nab rca series healthy_series healthy_replay agents who_and_when memory diagnosis ingest; do \
		echo "[bench] $$name"; $(BIN)/python tests/bench/$$name.py; \
	done

.PHONY: bench-cluster
bench-cluster: venv ## Figures on real pods: fault to signal, agents' loops to cuts, an hour of the healthy shop
	@$(LAB) up --name bench
	@$(LAB) image --name bench
	@for name in fault_to_signal agents_on_pods healthy_hour; do \
		echo "[bench] $$name"; $(call IN,bench) $(BIN)/python tests/bench/$$name.py; \
	done
	@$(LAB) down --name bench

.PHONY: generate
generate: venv ## Write crds/, RBAC and admission policies from the code
	@$(BIN)/python -m hemostat.generate

COMPILE = $(BIN)/uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11
.PHONY: lock
lock: venv ## Resolve the dependencies again and pin them with hashes
	@$(BIN)/pip install --quiet uv
	@$(COMPILE) --extra chaos --extra postgres --extra slack pyproject.toml -o operator/requirements.lock
	@$(COMPILE) --extra chaos --extra parquet --extra postgres --extra slack --group dev pyproject.toml -o tests/requirements.lock
	@for wanted in tests/frameworks/*.in tests/api/postgres.in chaos/agents/crew.in; do $(COMPILE) $$wanted -o $${wanted%.in}.lock; done
