# Everything a person runs. The environment is made once from hashed locks and made again when a lock changes.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools/bin
SECONDS ?= 120
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: serve train test test-quick test-slow check help fix bench fuzz sbom audit lock image-check
.DELETE_ON_ERROR:

# 130 is that of Ctrl-C, which is no error; `trap` lets the shell wait for a service that finishes its answers.
serve: $(VENV)/serve ## start the service on the committed bundle
	@trap : INT; ./bodyregion serve --port $(PORT) || [ $$? -eq 130 ]

train: $(VENV)/dev ## python -m training $(ARGS)
	@$(BIN)/python -m training $(ARGS)

test: $(VENV)/dev $(VENV)/tools/installed ## the tests but the slow ones, on two cores; ARGS="-k name" for some, TEST_DATA_DIR=folder for real pictures too
	@$(BIN)/python -m pytest -q -m "not slow" -n 2 --dist loadfile $(ARGS)

# In one process: another would first import everything as well, which is most of the time.
test-quick: $(VENV)/dev ## what of it starts no process and no server: a quarter of a minute; ARGS as above
	@$(BIN)/python -m pytest -q --quick -m "not slow" --ignore=tests/web --ignore=tests/hostile $(ARGS)

test-slow: $(VENV)/dev ## hostile files and clients, faults, kills, a cluster: what needs minutes or the machine for itself
	@$(BIN)/python -m pytest -q -m slow $(ARGS)

check: $(VENV)/dev $(VENV)/tools/installed ## style, types, import directions, dead code, container file; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(TOOLS)/vulture
	@$(TOOLS)/hadolint --failure-threshold style Dockerfile

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

fix: $(VENV)/dev ## what ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev ## needs wrk; ASK="start overload" for some questions only, DATA=folder of Medical MNIST for training too
	@$(BIN)/python -m tests.benchmarks $(ASK)
	@$(if $(DATA),$(BIN)/python -m tests.benchmarks.training $(DATA))

fuzz: $(VENV)/dev ## SECONDS=120 of spoilt pictures (Linux on x86-64); what breaks a promise is kept in tests/fuzz/crashes
	@$(BIN)/python -m tests.fuzz $(SECONDS)

sbom: $(VENV)/tools/installed ## what the service is made of, as CycloneDX in sbom.cdx.json
	@$(TOOLS)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --validate \
		--output-file sbom.cdx.json requirements.lock

audit: $(VENV)/tools/installed ## known vulnerabilities; fails where a package could not be looked up
	@$(TOOLS)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement requirements.lock

image-check: ## build the image and ask it for an answer, without a container engine; needs root, buildah and debootstrap
	@tests/image/check.sh

# uv overlooks that backports-strenum 1.3 is for Python before 3.11 only.
lock: $(VENV)/dev ## newest releases that fit pyproject.toml
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv
	@echo 'backports-strenum<1.3' | $(VENV)/lock/bin/uv pip compile $(COMPILE) --extra orthanc -o requirements.lock \
		-c - pyproject.toml
	@printf '%s\n' keras tensorflow tensorflow-cpu | $(VENV)/lock/bin/uv pip compile $(COMPILE) \
		--extra orthanc -o requirements-image.lock -c requirements.lock --excludes - pyproject.toml
	@$(VENV)/lock/bin/uv pip compile $(COMPILE) -o requirements-dev.lock -c requirements.lock --extra dev pyproject.toml
	@$(VENV)/lock/bin/uv pip compile $(COMPILE) -o requirements-tools.lock --python-version 3.11 --group tools

COMPILE := --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --custom-compile-command "make lock"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt install python3-venv" >&2; exit 2; }

$(VENV)/serve: requirements.lock | $(BIN)/python
	@echo "installing the service's packages (about 2 minutes, once)"
	@$(BIN)/python $(INSTALL) -r requirements.lock && touch $@

$(VENV)/dev: requirements-dev.lock | $(BIN)/python
	@echo "installing the packages for development and training (about 3 minutes, once)"
	@$(BIN)/python $(INSTALL) -r requirements-dev.lock && touch $@ $(VENV)/serve

$(VENV)/tools/installed: requirements-tools.lock
	@echo "installing the tools that look for dead code, at the container file and at the packages (once)"
	@$(PYTHON) -m venv $(VENV)/tools && $(TOOLS)/python $(INSTALL) -r $< && touch $@
