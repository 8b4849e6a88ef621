# The two commands of the README are `make run` and `make test`; the rest serves them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
RUST := $(shell find rust -name '*.rs' -o -name Cargo.toml 2>/dev/null) Cargo.toml Cargo.lock

.PHONY: help run build check format test test-rust test-python test-deep interop bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(STAMPS)/release ## build for release and run the daemon on this host
	$(BIN)/innkeeper serve $(ARGS)

build: $(STAMPS)/debug ## virtual environment with a debug build of the core

test: test-rust test-python ## the whole suite, Rust and Python

test-rust:
	cargo test --workspace --locked --quiet

test-python: $(STAMPS)/debug
	$(BIN)/pytest -q

test-deep: $(STAMPS)/debug ## long runs: every kill point, power loss, many random histories, a minute of odd words
	PROPTEST_CASES=80000 cargo test -p innkeeper-core --locked --quiet pci::spec
	TEST_INNKEEPER_DEEP=1 $(BIN)/pytest -q --timeout=3600 tests/crash tests/properties

interop: $(STAMPS)/debug $(STAMPS)/interop ## Nova's own classes read what innkeeper writes, and the other way round
	$(BIN)/pytest -q tests/interop

check: $(STAMPS)/debug ## formatting, lints, types, layers, stub
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest innkeeper._core --mypy-config-file pyproject.toml --concise

format: ## rewrite what the formatters would
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

bench: $(STAMPS)/release $(STAMPS)/interop ## the core, PCI, NUMA, objects beside Nova's own, and audits
	cargo bench -p innkeeper-core
	missed=0; \
	$(BIN)/python benches/bench_objects.py || missed=1; \
	$(BIN)/python -m benches.bench_pci || missed=1; \
	$(BIN)/python -m benches.bench_numa || missed=1; \
	$(BIN)/python -m benches.bench_audit || missed=1; \
	exit $$missed

clean: ## everything that was built
	rm -rf $(VENV) $(VENV)-interop $(STAMPS) target dist python/innkeeper/*.so

$(STAMPS)/venv: pyproject.toml
	@mkdir -p $(STAMPS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --group dev
	if pkg-config --exists libvirt 2>/dev/null; then \
	  $(BIN)/python -m pip install 'libvirt-python>=9' || echo 'no libvirt-python: its tests are skipped'; \
	fi
	@touch $@

# Nova brings its own old and many dependencies, so it lives by itself.
$(STAMPS)/interop:
	@mkdir -p $(STAMPS)
	test -x $(VENV)-interop/bin/python || $(PYTHON) -m venv $(VENV)-interop
	$(VENV)-interop/bin/python -m pip install --quiet --disable-pip-version-check nova==34.0.0
	@touch $@

# maturin puts the extension into python/innkeeper, so the newer of the two builds is in use.
$(STAMPS)/debug: $(STAMPS)/venv $(RUST)
	$(BIN)/maturin develop --quiet --locked
	@rm -f $(STAMPS)/release
	@touch $@

$(STAMPS)/release: $(STAMPS)/venv $(RUST)
	$(BIN)/maturin develop --quiet --locked --release
	@rm -f $(STAMPS)/debug
	@touch $@
