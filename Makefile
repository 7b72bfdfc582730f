# Two commands matter: `make demo` and `make test`. They need Python 3.11 or newer and a shell; `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
LOCALDEV := $(BIN)/python -m localdev
# A file with the hash of the lock it was installed from: present and equal means nothing to do.
STAMP := $(VENV)/.installed
MINUTES ?= 10
SIZE ?= full
PYTEST ?=
.NOTPARALLEL:

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: venv
venv: ## make .venv from the hashed lock (instant when it is up to date)
	@sh localdev/venv.sh $(VENV) $(STAMP)

.PHONY: demo
demo: venv ## run the demo until Ctrl-C (PORT=, DETACH=1, EMPTY=1, DATABASE_URL=, REDIS_URL=)
	@$(LOCALDEV) demo $(if $(filter 1 yes true,$(DETACH)),--detach) $(if $(filter 1 yes true,$(EMPTY)),--empty) $(if $(PORT),--port $(PORT))

.PHONY: stop
stop: ## end the demo, and test servers that nobody uses
	@if [ -x $(BIN)/python ]; then $(LOCALDEV) stop; else echo "nothing was running"; fi

.PHONY: test
test: venv ## run every test, with servers and a Chromium (PYTEST="-k name" passes options on)
	@$(LOCALDEV) test -- $(PYTEST)

.PHONY: check
check: lint format-check types imports migrations templates test ## everything CI runs

.PHONY: lint
lint: venv ## ruff's rules
	$(BIN)/ruff check .

.PHONY: format-check
format-check: venv ## ruff's formatting, without changing anything
	$(BIN)/ruff format --check .

.PHONY: format
format: venv ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: venv ## mypy, strict
	@$(LOCALDEV) with-env test $(BIN)/mypy

.PHONY: imports
imports: venv ## the layers (import-linter)
	@$(LOCALDEV) with-env test $(BIN)/lint-imports

.PHONY: migrations
migrations: venv ## models and migrations agree
	@$(LOCALDEV) with-env test $(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: templates
templates: venv ## djlint's rules and formatting
	$(BIN)/djlint templates --lint
	$(BIN)/djlint templates --check

.PHONY: bench
bench: venv ## ratios against baselines; JSON under bench/results/
	@$(LOCALDEV) with-env bench $(BIN)/python -m bench

.PHONY: acceptance
acceptance: venv ## real systems and full-size property runs (SIZE=full)
	@SIZE=$(SIZE) $(LOCALDEV) test -- -m acceptance $(PYTEST)

.PHONY: soak
soak: venv ## a demo with a fault every few minutes (MINUTES=10)
	@$(LOCALDEV) with-env bench $(BIN)/python -m bench.soak --minutes $(MINUTES)

.PHONY: lock
lock: ## renew requirements*.txt from requirements*.in (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv (https://docs.astral.sh/uv/): pip install uv"; exit 1; }
	uv pip compile --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes requirements-dev.in -o requirements-dev.txt
