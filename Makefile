# Everything a person or a machine runs. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all check lint clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1|/' | column -t -s '|'

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(INSTALLED)

install: $(INSTALLED)  ## make .venv with torch pinned by constraints.txt

demo: $(INSTALLED)  ## train on 5,000 real digits; ends with a table and a report (under 5 minutes)
	rm -rf runs/demo
	$(BIN)/infomax train mnist-halves --out runs/demo

test: $(INSTALLED)  ## the quick tests (under 10 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test-all: $(INSTALLED)  ## every test, the statistical and long ones too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'slow or not slow'

lint: $(INSTALLED)  ## ruff, mypy --strict, doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --doctest-modules src/infomax

check: lint test  ## what CI runs: lint, then test

clean:  ## remove .venv, runs and caches
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
