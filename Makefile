# `make compare` and `make test` set up all they need in .venv; nothing is installed by hand but Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests benchmarks docs

.PHONY: help compare test lint types unit bench clean

help:
	@echo "make compare   which regulariser should my network use? on real images, in under three minutes"
	@echo "make test      linter, types, import contracts, and tests"
	@echo "make bench     speed of layers, training and attacks, and which layers became slower than was recorded"
	@echo "make clean     remove the virtual environment and caches"

compare: .venv/lab
	$(BIN)/dropover compare --out results/main

test: lint types unit

lint: .venv/dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports

types: .venv/dev
	$(BIN)/mypy

unit: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: .venv/dev
	$(BIN)/python benchmarks/layers.py --record
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/attacks.py

# torch and torchvision are resolved together, by pip, as their builds must match.
.venv/lab: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[lab,fast]'
	@touch $@

.venv/dev: .venv/lab
	$(BIN)/python -m pip install --quiet --editable '.[lab,fast,dev]'
	@touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
