# make report   set up, reproduce everything that changed, and say where the report is
# make test     set up and run every test, two files at a time
# make check    say whether the results still hold: `deadrelu check --help`
# make lint     format, lint, type and schema checks, those of pre-commit, on all files
# make lock     pin the newest versions that pyproject.toml allows (needs a package index)
# make plots-page   the page of `dvc plots`, with Vega's JavaScript in it
# make clean    remove .venv; data and reports stay

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help report test check lint lock plots-page clean

help:
	@sed -n 's/^# //p' Makefile

report: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@echo "The report is in $(CURDIR)/reports/report.html"

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: .venv/installed
	$(BIN)/deadrelu check

lint: .venv/installed
	$(BIN)/pre-commit run --all-files

plots-page: .venv/installed
	$(BIN)/python .dvc/plots_page.py

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "deadrelu needs Python 3.11 to 3.13 (TensorFlow has no other); received %d.%d; try: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2])'
	@echo "Installing the locked dependencies into .venv: one to three minutes"
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv
