# Zuoxi: `make demo` shows the desk with a ringing phone, `make test` proves it on a real Asterisk.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments: made when missing, made anew when a lock file changed --------------------------
$(VENV)/.base: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Zuoxi needs Python 3.11 or newer; this is $$($(PYTHON) --version)."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "Python's venv is missing. Run:  apt-get install git make python3-venv"; exit 1; }
	@echo "making the virtual environment (about half a minute, once) ..."
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then \
	   uv pip install --quiet --python $(RUN)/python --require-hashes -r requirements.lock; \
	 else $(RUN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock; fi
	@printf '#!%s\nimport sys\nfrom zuoxi import main\nsys.exit(main())\n' "$(CURDIR)/$(RUN)/python" > $(RUN)/zuoxi
	@chmod +x $(RUN)/zuoxi
	@echo "$(CURDIR)" > "$$($(RUN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zuoxi.pth"
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	@echo "installing what the tests need ..."
	@if command -v uv >/dev/null; then \
	   uv pip install --quiet --python $(RUN)/python --require-hashes -r requirements-dev.lock; \
	 else $(RUN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock; fi
	@touch $@

# --- the two commands of the README ---------------------------------------------------------------
demo: $(VENV)/.base ## the desk with a ringing phone: no root, no Docker, no Asterisk (PORT=8001: another port)
	@$(RUN)/zuoxi demo $(if $(PORT),--port $(PORT))

install: $(VENV)/.base ## the virtual environment with the command `zuoxi`

test: check laboratory ## everything, on real parts: Asterisk, SIPp, PostgreSQL, Chromium
	@$(RUN)/python -m pytest

# --- pieces ---------------------------------------------------------------------------------------
check: $(VENV)/.dev ## format, lint, types, import contracts, templates
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/lint-imports
	@$(RUN)/mypy
	@$(RUN)/djlint --check --quiet agent_ui/templates
	@$(RUN)/djlint --lint --quiet agent_ui/templates

laboratory: $(VENV)/.dev
	@$(RUN)/python -m tests.lab install

lab: $(VENV)/.dev ## a real Asterisk with callers and agents to play with
	@$(RUN)/python -m tests.lab

bench: $(VENV)/.dev ## the quick benchmark, about 4 minutes
	@$(RUN)/python -m tests.bench

bench-full: $(VENV)/.dev ## all benchmarks: a floor of 200 agents and growth as well
	@$(RUN)/python -m tests.bench --full
	@$(RUN)/python -m tests.bench.redis_hop

long: $(VENV)/.dev laboratory ## 10,000 real calls under 100 faults, half an hour (SEED=1: that one again)
	@$(RUN)/python -m tests.faults $(if $(SEED),--seed $(SEED))
	@$(RUN)/python -m pytest tests/journeys/whole_calls.py

golden: $(VENV)/.dev ## write golden traces, help and OpenAPI anew (review by git diff)
	@$(RUN)/python -m tests.golden

screens: $(VENV)/.dev laboratory ## take the screenshots of tests/browser/screens anew
	@$(RUN)/python -m tests.browser.screens

migration: $(VENV)/.dev ## a new migration: make migration m="what it does"
	@$(RUN)/python -m crm_core.migrations revision "$(m)"

vendor: ## build the browser's vendor files anew (the only place where Node is needed)
	@cd agent_ui/frontend && npm ci --ignore-scripts --silent && node build.mjs

vendor-check: vendor ## fail if the committed vendor files are not what the build makes
	@git diff --exit-code -- agent_ui/static/vendor

lock: $(VENV)/.dev ## the lock files anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --universal --python-version 3.11 --quiet -o requirements.lock
	@uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --universal --python-version 3.11 --quiet -o requirements-dev.lock

demo-reset: ## forget what the demonstration has stored
	@rm -rf var/demo

.PHONY: help demo install test check laboratory lab bench bench-full long golden screens migration vendor vendor-check lock demo-reset
