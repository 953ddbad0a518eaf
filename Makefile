# make demo    a virtual environment, the package, then the main job on a real Spring Boot service
# make check   the inner loop: ruff, mypy, the directions of imports, and the tests that need nothing but Python
# make test    what the tests need (with apt, when it may), then all of `make check` and all tests
# make bench   figures as ratios: start-up, many Dockerfiles, a large jar, many modules, a tar of 1 GB, pushes; HISTORY=1 keeps them
# make fuzz    looks for crashes, hangs and wrong rewrites, FUZZ_SECONDS (600) with each fuzzer of tests/fuzz
# make zipapp  dist/imgopt.pyz: imgopt in one file that needs only Python
# make docs     the pages of docs/, and those made of --help and of the rules, into site/
# make schemas  schemas/: of what is printed as JSON, and of imgopt.toml
# make pictures  docs/pictures: what imgopt prints for the demo
# make constraints  writes ci/constraints.txt anew: what imgopt is installed with in CI, each with its hashes
# make clean   removes the virtual environment, downloads and caches

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh

# what the tests start thousands of times is compiled once (the variable, when set, keeps Python from storing it)
export PYTHONDONTWRITEBYTECODE :=

FUZZ_SECONDS ?= 600
# what bench compares with, where it can be had
TALLY := 0.45.0
# how many tests run at a time: one for each core
WORKERS ?= auto
# with engines and registries one more than cores: half of the time a test waits for one
ALL_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

.PHONY: demo check lint test bench fuzz zipapp docs pictures schemas constraints clean prepare

demo: $(VENV)/.demo
	@$(BIN)/python fixtures/demo/fetch.py fixtures/demo/target/zipkin-server.jar
	@printf '\n$$ imgopt suggest fixtures/demo\n\n'
	@$(BIN)/imgopt suggest fixtures/demo
	@printf '\n$$ imgopt rewrite --diff fixtures/demo\n\n'
	@$(BIN)/imgopt rewrite --diff fixtures/demo
	@printf '\nThe command is %s. In a project of your own, once its jar is built (./mvnw package):\n\n' "$(CURDIR)/$(BIN)/imgopt"
	@printf '  cd ~/my-service\n  %s suggest            # what is wasted, and what it costs\n' "$(CURDIR)/$(BIN)/imgopt"
	@printf '  %s rewrite --diff     # what would be changed; --in-place changes it\n' "$(CURDIR)/$(BIN)/imgopt"
	@printf '\nTo type imgopt alone: export PATH="%s:$$PATH"\n' "$(CURDIR)/$(BIN)"

check: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations 10 -m "not (engine or maven or registry or native or slow)"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=optimizer:rules $(BIN)/lint-imports --no-cache --no-logo

test: prepare lint
	$(BIN)/python -m pytest -n $(ALL_WORKERS) --dist loadfile --durations 10 --no-loadscope-reorder

bench: $(VENV)/.dev
	-@$(BIN)/python -m pip install --quiet --disable-pip-version-check tally-cli==$(TALLY)
	$(BIN)/python tests/benchmarks/bench.py $(if $(HISTORY),--history)

fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@status=0; for name in dockerfile jar rewrites gradle pom ci dockerignore tar registry; do \
	  $(BIN)/python tests/fuzz/fuzz_$$name.py --seconds $(FUZZ_SECONDS) || status=1; done; exit $$status

zipapp: $(VENV)/.dev
	@$(BIN)/python ci/zipapp.py

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

schemas: $(VENV)/.dev
	@$(BIN)/python schemas/make_schemas.py

pictures: $(VENV)/.dev
	@$(BIN)/python docs/make_pictures.py

# for every platform and Python from 3.10 on; what is there stays as it is unless UPGRADE=--upgrade
constraints: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lock]'
	UV_CUSTOM_COMPILE_COMMAND="make constraints" $(BIN)/uv pip compile --quiet --universal --python-version 3.10 \
	  --generate-hashes --no-emit-index-url --extra build $(UPGRADE) --output-file ci/constraints.txt pyproject.toml

prepare:
	@tests/prepare.sh
	@$(PYTHON) tests/tools.py

$(VENV)/.demo: $(BIN)/python pyproject.toml
	@echo "installing imgopt into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	@echo "installing imgopt and what its tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# Debian keeps ensurepip, which venv needs, in a package of its own
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "imgopt needs Python 3.10 or newer: make PYTHON=python3.12 …")'
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then :; \
	 elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	   echo "installing python3-venv (apt-get)"; \
	   apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null; \
	 else echo "error: this Python cannot make virtual environments; apt-get install python3-venv, then again" >&2; exit 1; fi
	@echo "making the virtual environment $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache fixtures/demo/target
