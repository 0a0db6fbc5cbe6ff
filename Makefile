# Everything on a fresh machine with Python 3.11 or newer and make:
#   make demo        sets up and runs the main job on the small world
#   make test        sets up and passes the tests, without those of full-size networks
#   make test-slow   the rest of the tests
#   make coverage    the tests of make test, and which lines they miss
#   make docs        builds the documentation site, build/site/index.html
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# a process keeps its half of the tests, and so what their modules prepare, until the other one has nothing left to do
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist worksteal
DEMO ?= demo
# test processes share the cores, and training that is resumed repeats itself to the bit
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-slow coverage check docs setup clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("icvos needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[models,train,video,onnx,plots,server,hub,cluster,docs,dev]'
	$(BIN)/python -m pip install --quiet --no-deps vos-benchmark==0.1.0 trackeval==1.3.0
	touch $@

demo: setup
	$(BIN)/icvos demo --out $(DEMO)

test: setup
	$(PYTEST) -m "not slow"

coverage: setup
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

test-slow: setup
	$(PYTEST) -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m documentation build/pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m documentation.links build/site

clean:
	rm -rf $(VENV) $(DEMO) build
