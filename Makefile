# Everything on a fresh machine with Python 3.11 or newer and make:
#   make demo   sets up and runs the main job on the small world
#   make test   sets up and passes the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test check setup clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("icvos needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[models,video,dev]'
	touch $@

demo: setup
	rm -rf $(DEMO)
	$(BIN)/icvos smallworld $(DEMO)/world
	$(BIN)/icvos build --davis $(DEMO)/world/davis --mose $(DEMO)/world/mose --lvos $(DEMO)/world/lvos \
	  --coco $(DEMO)/world/coco --curation $(DEMO)/world/curation.csv --only-decided --out $(DEMO)/benchmark
	$(BIN)/icvos eval --method lite --draws 0,1 --benchmark $(DEMO)/benchmark --out $(DEMO)/runs/lite
	$(BIN)/icvos eval --method lite --shots 5 --draws 0 --benchmark $(DEMO)/benchmark --out $(DEMO)/runs/lite-5-shot
	$(BIN)/icvos eval --method oracle --benchmark $(DEMO)/benchmark --out $(DEMO)/runs/oracle
	$(BIN)/icvos render $(DEMO)/benchmark --predictions $(DEMO)/runs/lite/draw0 --kind sheet --out $(DEMO)/pictures
	$(BIN)/icvos leaderboard $(DEMO)/runs/lite $(DEMO)/runs/lite-5-shot $(DEMO)/runs/oracle --out $(DEMO)/site

test: setup
	$(BIN)/python -m pytest -n 2 -q

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(DEMO)
