# make report   set up, reproduce everything that changed, and say where the report is
# make test     set up and run every test once; TESTS=tests/engine runs a part of them
# make soak     what gains by repetition: kills, seeds, fuzzing, other processors (some of it needs qemu-user-static)
# make bench    the engine's speed; BENCH=scale, grid, shuffles, inspect, install or page
# make check    say whether the results still hold: `deadrelu check --help`
# make lint     format, lint, type and schema checks, those of pre-commit, on all files
# make lock     pin the newest versions that pyproject.toml allows (needs a package index)
# make plots-page   the page of `dvc plots`, with Vega's JavaScript in it
# make wasm     compile the engine's programs for the page, after a change of the engine
# make clean    remove .venv; data and reports stay

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV := $(BIN)/uv --quiet
# Compiled once, by the first run that needs it: all of it takes longer, and none of it slows down every run.
export PYTHONDONTWRITEBYTECODE :=
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

.PHONY: help report test soak bench check lint lock plots-page wasm clean same-python

help:
	@sed -n 's/^# //p' Makefile

report: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@echo "The report is in $(CURDIR)/reports/report.html"

test: .venv/tools
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

soak: .venv/tools
	DEADRELU_FUZZ=20 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "soak or fuzz"
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/engine/arm64.sh

bench: .venv/tools
	$(BIN)/python -m benchmarks $(or $(BENCH),engine)

check: .venv/installed
	$(BIN)/deadrelu check

lint: .venv/tools
	$(BIN)/pre-commit run --all-files

wasm: .venv/installed
	$(BIN)/python -m deadrelu.report.wasm

plots-page: .venv/tools
	$(BIN)/python .dvc/plots_page.py

# PYTHON=… chooses the Python of a new .venv. An existing one keeps its own, so a different choice is reported.
VERSION := 'import sys; print("%d.%d" % sys.version_info[:2])'
same-python:
ifneq ($(filter command environment,$(origin PYTHON)),)
	@[ ! -x $(BIN)/python ] || { wanted=$$($(PYTHON) -c $(VERSION)) && present=$$($(BIN)/python -c $(VERSION)) || exit 1; \
	[ "$$wanted" = "$$present" ] || { echo "PYTHON=$(PYTHON): received Python $$wanted; expected: $$present, which .venv has; \`make clean\` removes .venv" >&2; exit 1; }; }
endif

# From nothing, with the Python behind a .venv that may be active, whatever an interrupted installation has left.
.venv/installed: requirements.lock pyproject.toml | same-python
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "deadrelu needs Python 3.11 to 3.13 (TensorFlow has no other); received %d.%d; try: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2])'
	@echo "Installing the locked dependencies into .venv: 3 GB, half a minute to three"
	"$$($(PYTHON) -c 'import sys; print(sys._base_executable)')" -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(PIP) install --require-hashes --no-deps --requirement .venv/uv.lock || echo "deadrelu: no uv here; pip takes a few minutes"
	$(call install,requirements.lock)
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable . || $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tools: .venv/installed requirements-dev.lock
	$(call install,requirements-dev.lock)
	@touch $@

# pip knows what uv does not, such as an index that pip's own files name; it takes some eight times as long.
define install
$(UV) pip install --python $(BIN)/python --require-hashes --requirement $(1) || $(PIP) install --require-hashes --requirement $(1)
endef

lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/$(LOCK) --upgrade --extra pipeline --group install pyproject.toml --output-file requirements.lock
	.venv/lock/bin/$(LOCK) --upgrade --constraint requirements.lock --group dev pyproject.toml --output-file requirements-dev.lock

clean:
	rm -rf .venv
