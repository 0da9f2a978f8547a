# Needs Python >= 3.11, make and a package index; nothing else, and no root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Modules are compiled when they are first used, and kept: without that every command starts seconds later.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint docs chaos bench wheel lock clean

demo: $(VENV)/.installed
	$(BIN)/plgsync demo

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Writes the generated parts of docs/*.md; tests/unit/test_docs.py compares.
docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py

# Many tests wait for servers and processes they break, so twice as many run as there are cores.
TEST_PROCESSES ?= $(shell $(PYTHON) -c "import os; print(2 * (os.cpu_count() or 1))")

# What decides and what people write is covered to the last branch. The rest has parts that run only as processes of
# their own (plgsync up, the Celery worker, the sandboxes' files), which coverage does not see.
PURE := worker/language/*,worker/rules/*,worker/scores/*,worker/settings/*

test: lint
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --cov --cov-report=
	$(BIN)/coverage report --fail-under=100 --include='$(PURE)'
	$(BIN)/coverage report --format=total --fail-under=92 --omit='$(PURE)'

# Every property with all of its examples, and the long form of tests/chaos: a thousand kill -9 (make chaos
# CHAOS_KILLS=200 for fewer), one test at a time, for hours.
CHAOS_KILLS ?= 1000
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --hypothesis-profile=full tests/unit tests/integration/signals
	CHAOS_KILLS=$(CHAOS_KILLS) $(BIN)/python -m pytest tests/chaos tests/integration/test_celery.py -m "" -s -p no:xdist

# What things cost on this machine: every figure is a ratio measured within one run. No part of "make test".
bench: $(VENV)/.installed-dev
	for file in tests/bench/*.py; do $(BIN)/python $$file || exit 1; done

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel

# Newest versions that pyproject.toml allows, for every platform and Python >= 3.11. The last builds the image's wheel.
lock: $(VENV)/.installed-dev
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		pyproject.toml --extra otel --group dev -o requirements-dev.lock
	echo hatchling | $(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate - -o requirements-build.lock

clean:
	rm -rf $(VENV) build dist demo

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "plgsync needs Python 3.11 or newer; run: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements-dev.lock
	touch $@
