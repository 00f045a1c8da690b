# `make compare` and `make test` set up all they need in .venv; nothing is installed by hand but Python >= 3.11 and make.
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())')
# Another Python gets an environment of its own, such as .venv-3.12.
VENV := .venv$(if $(filter file,$(origin PYTHON)),,-$(basename $(VERSION)))
# A file of versions that pip is held to, none but for `make test-lowest`.
CONSTRAINTS :=
BIN := $(VENV)/bin
# What the lab is held against the CPU on by `make test-device`.
DEVICE := cuda
SOURCES := src tests benchmarks docs examples

# A processor without AVX-512 and one without AVX, put on for every library that chooses its code by the processor:
# torch's own loops, oneDNN, MKL, the BLAS of numpy and scipy, numba. What torch compiles is kept apart: it would crash.
AVX2 := ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell \
	NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma TORCHINDUCTOR_CACHE_DIR=$(CURDIR)/$(VENV)/compiled-avx2
SSE := ATEN_CPU_CAPABILITY=default DNNL_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 OPENBLAS_CORETYPE=Nehalem \
	NUMBA_CPU_NAME=nehalem NUMBA_CPU_FEATURES=+sse4.2 TORCHINDUCTOR_CACHE_DIR=$(CURDIR)/$(VENV)/compiled-sse
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help compare test lint types unit test-long test-device test-processors test-lowest stubs docs bench clean

help:
	@echo "make compare           which regularizer should my network use? on real images, in under three minutes"
	@echo "make test              linter, types, import contracts and tests; with PYTHON=python3.12 on another Python"
	@echo "make test-long         what takes minutes: the slowest oracles, mistakes on purpose, Ray's bad days"
	@echo "make test-device       the lab on a GPU against the CPU; with DEVICE=mps, cuda:1, cpu on another device"
	@echo "make test-processors   the tests as on an x86 processor with AVX2 and as on one with SSE4 alone"
	@echo "make test-lowest       the tests with the lowest versions that pyproject.toml promises"
	@echo "make stubs             what type checkers are told of the names that dropover finds at run time"
	@echo "make docs              the documentation as a site of its own, in site/; nothing is fetched while it is built"
	@echo "make bench             speed of layers, training and attacks, and which layers became slower than was recorded"
	@echo "make clean             remove the virtual environments, caches and the site"

compare: $(VENV)/lab
	$(BIN)/dropover compare --out results/main

test: lint types unit

lint: $(VENV)/dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports

types: $(VENV)/dev
	$(BIN)/mypy

unit: $(VENV)/dev
	$(PYTEST)

test-long: $(VENV)/dev
	$(PYTEST) -m long

test-device: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.on_device $(DEVICE)

test-processors: $(VENV)/dev
	$(AVX2) $(PYTEST)
	$(SSE) $(PYTEST)

# Make once more, with an environment of its own.
test-lowest:
	$(MAKE) VENV=.venv-lowest CONSTRAINTS=.venv-lowest/lowest.txt unit

stubs: $(VENV)/dev
	$(BIN)/python -m tests.stubs

docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html is there; with search: $(BIN)/python -m http.server --directory site"

bench: $(VENV)/dev
	$(BIN)/python benchmarks/layers.py --record
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/attacks.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/engines.py

# An environment that another Python has made is made anew.
$(VENV)/python-$(VERSION):
	@test -n "$(VERSION)" || { echo "there is no Python at PYTHON=$(PYTHON)"; exit 1; }
	@test "$$($(BIN)/python -c 'import platform; print(platform.python_version())' 2>&1)" = "$(VERSION)" \
		|| $(PYTHON) -m venv --clear $(VENV)
	@touch $@

.venv-lowest/lowest.txt: pyproject.toml tests/lowest.py .venv-lowest/python-$(VERSION)
	.venv-lowest/bin/python tests/lowest.py > $@

# torch and torchvision are resolved together, by pip, as their builds must match.
$(VENV)/lab: pyproject.toml $(VENV)/python-$(VERSION) $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --editable '.[lab,fast]' $(CONSTRAINTS:%=--constraint %)
	@touch $@

$(VENV)/dev: $(VENV)/lab
	$(BIN)/python -m pip install --quiet --editable '.[lab,fast,dev]' $(CONSTRAINTS:%=--constraint %)
	@touch $@

$(VENV)/docs: $(VENV)/lab
	$(BIN)/python -m pip install --quiet --editable '.[lab,fast,docs]' $(CONSTRAINTS:%=--constraint %)
	@touch $@

clean:
	rm -rf site .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
