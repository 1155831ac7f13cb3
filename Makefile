# One word a job. Every target makes the environment it needs, so `make demo` works in a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo web test test-slow soak check format light bench docs clean

demo: $(VENV)/train.stamp  ## scan → train → threshold → export → predict on real pictures, with a short story
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/demo.py

web:  ## what the browser needs of the npm registry (onnxruntime-web) into the package; needs npm
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run build

test: $(VENV)/dev.stamp  ## the default tests: CPU, offline, a few minutes
	$(BIN)/python -m pytest

test-slow: $(VENV)/dev.stamp  ## the heavier proofs
	$(BIN)/python -m pytest -m slow

soak: $(VENV)/dev.stamp  ## five minutes of hang-ups, kills and bad inputs against a running server
	$(BIN)/python -m pytest -m slow tests/serve/test_soak.py --timeout 900

check: $(VENV)/dev.stamp  ## format, lint, types, layers, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/make_help.py --check
	$(BIN)/mkdocs build --strict

format: $(VENV)/dev.stamp  ## mend what a machine can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python docs/make_help.py

light: $(VENV)/train.stamp  ## install without extras elsewhere and prove that nothing there needs torch
	BIN=$(BIN) PYTHON=$(PYTHON) bash scripts/light.sh

bench: $(VENV)/dev.stamp  ## the benchmarks that need nothing but okulo, one after another; the docs say what the others want
	for each in startup scan train evaluate infer pick curate_labels curate_scale review browser footprints speed; do \
		$(BIN)/python benchmarks/$$each.py || exit 1; done

docs: $(VENV)/dev.stamp  ## read the docs on http://127.0.0.1:8000
	$(BIN)/python docs/make_help.py
	$(BIN)/mkdocs serve

clean:
	rm -rf demo site .mypy_cache .ruff_cache .pytest_cache

$(VENV)/train.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "okulo needs Python 3.11 or newer; try make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (torch is large: a few minutes the first time) …"
	$(PIP) -c constraints.txt -e '.[train]'
	touch $@

$(VENV)/dev.stamp: $(VENV)/train.stamp
	$(PIP) -c constraints.txt -e '.[train,serve,postgres,openvino,dev]'
	touch $@
