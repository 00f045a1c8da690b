# `make compare` and `make test` set up all they need in .venv; nothing is installed by hand but Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests benchmarks docs

.PHONY: help compare test lint types unit check-speed bench clean

help:
	@echo "make compare   which regulariser should my network use? on real images, in under three minutes"
	@echo "make test      linter, types, import contracts, tests, and a check of the layers' speed"
	@echo "make check-speed   fails if a layer has become slower than recorded, against PyTorch's own"
	@echo "make bench     speed against PyTorch's own layers and a plain training script"
	@echo "make clean     remove the virtual environment and caches"

compare: .venv/lab
	$(BIN)/dropover compare --out results/main

test: lint types unit check-speed

lint: .venv/dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports

types: .venv/dev
	$(BIN)/mypy

unit: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check-speed: .venv/dev
	$(BIN)/python benchmarks/layers.py --check --threads 1

bench: .venv/dev
	$(BIN)/python benchmarks/layers.py
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
