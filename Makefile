# Every target sets up what it needs in .venv and reuses it afterwards.
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.PHONY: demo test slow check bench docs clean .venv/new
.DEFAULT_GOAL := test

demo: .venv/.stamp
	$(BIN)/python examples/demo.py

test: .venv/.stamp-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

slow: .venv/.stamp-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m slow

check: .venv/.stamp-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.stamp-test
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.quality

docs: .venv/.stamp-docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

.venv/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "xinpaint needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory .venv/new
	@echo "== set-up, done once: PyTorch (the largest part, up to 1 GB; pip shows how far it is)"
	$(PIP) torch
	@echo "== set-up, done once: xinpaint and what it needs"
	$(PIP) -e .
	@touch $@
	@echo "== xinpaint is installed in .venv"

.venv/.stamp-test: .venv/.stamp
	@echo "== set-up, done once: what the tests need beside it"
	$(PIP) -e ".[stac,server,ee,netcdf,s3,icechunk,train,swipe,test]"
	@touch $@
	@echo "== set-up is done; the next command starts at once"

# Debian keeps ensurepip in a package of its own; any pip at hand can stand in for it.
.venv/new:
	@echo "== set-up, done once: making .venv; what follows takes a few minutes"; rm -rf .venv
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv .venv; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --without-pip .venv \
	  && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	else \
	  echo "cannot make .venv: this Python has neither ensurepip nor pip." >&2; \
	  echo "On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi

.venv/.stamp-docs: .venv/.stamp-test
	@echo "== set-up, done once: what builds the documentation"
	$(PIP) -e ".[docs]"
	@touch $@

clean:
	rm -rf .venv build dist docs/_build docs/generated .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
