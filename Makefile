# `make lab` opens the chapters in JupyterLab, `make test long pages` runs every check. All build .venv first, from requirements.lock,
# and need nothing but Python 3.11 (or newer) and make.

PORT ?= 8888
UNIT ?= unit
BIN := .venv/bin
BUILT := .venv/.built
CODE := edasim tests tools benchmarks notebooks
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/pytest
TESTS := $(PYTEST) -n 2 -p no:nbval --ignore=tests/browser -q --dist=worksteal
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

unexport PYTHONDONTWRITEBYTECODE # each of the many processes would compile every library again, and that is half of their time

.PHONY: help lab test style types floors spelling fidelity unit coverage chapters browser long pages bench format outputs lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

$(BUILT): requirements.lock pyproject.toml jupyter/overrides.json tools/build_venv.sh
	@PYTHON="$(PYTHON)" sh tools/build_venv.sh .venv

lab: $(BUILT) ## JupyterLab with the chapters, on 127.0.0.1 (PORT=8888; NO_BROWSER=1 only prints the address)
	@exec $(BIN)/python -m jupyterlab --ip=127.0.0.1 --port=$(PORT) --ServerApp.root_dir=notebooks \
		--ServerApp.log_level=WARN $(AS_ROOT) $(if $(NO_BROWSER),--no-browser)

test: $(BUILT) ## every check down to `browser`, the quick ones side by side (UNIT=coverage measures coverage as well)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target browser types fidelity style floors spelling
	@$(MAKE) --no-print-directory --jobs=1 $(UNIT) chapters

style: $(BUILT) ## ruff's rules and format; what notebooks may store
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/python tools/chapters.py check

types: $(BUILT) ## mypy --strict on the package
	$(BIN)/mypy

floors: $(BUILT) ## imports point down the floors
	$(BIN)/lint-imports --no-logo

spelling: $(BUILT) ## codespell
	$(BIN)/codespell

fidelity: $(BUILT) ## the ledger of the brokers' rules, docs/FIDELITY.md; fails on gaps
	$(BIN)/python tools/fidelity.py

unit: $(BUILT) ## the tests and doctests that need no browser and are not long
	$(TESTS) -m "not long"

chapters: $(BUILT) ## runs each chapter and compares its checked cells
	LOKY_MAX_CPU_COUNT=1 $(PYTEST) -n 2 --dist=loadscope --nbval-lax --nbval-current-env --nbval-cell-timeout=120 notebooks

browser: $(BUILT) ## labs, theatre and progress in a real JupyterLab, in Chromium
	$(BIN)/pytest -p no:nbval -m "not long" tests/browser

long: $(BUILT) ## what takes longer: theory, crashes over many seeds, laws with all their examples
	$(TESTS) -m long tests

pages: $(BUILT) ## every chapter, from top to bottom, in a real JupyterLab, in Chromium
	$(BIN)/pytest -n 2 -m long tests/browser

coverage: $(BUILT) ## the tests of `unit`, in twice the time: do they run 95 % of the package, with branches?
	$(TESTS) -m "not long" --cov --cov-report=term

bench: $(BUILT) ## speed and memory, as ratios to idiomatic SimPy and to a bare heap
	$(BIN)/python -m benchmarks

format: $(BUILT) ## puts code and notebooks into the house's form
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/python tools/chapters.py strip

outputs: $(BUILT) ## runs each chapter and stores what its checked cells print
	$(BIN)/python tools/chapters.py outputs

lock: $(BUILT) ## resolves the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-emit-package edasim \
		--annotation-style line --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## removes .venv and what the tools left behind
	rm -rf .venv .coverage htmlcov build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
