# Every command is safe to repeat, and quick when nothing has changed.
#
#   make setup        what the other commands need: .venv, Debian packages, Kafka's jars
#   make check        ruff, mypy, lint-imports, Django's check of a deployment
#   make test         setup, check and all tests
#   make demo         a simulated fleet, a whole month, then the portal on 127.0.0.1:8000
#   make bench        the benchmarks
#   make test-gpu     real CUDA processes, where there is a GPU: what is metered of them, and what the driver really does
#   make chaos        the pipeline under well over a hundred kills, about ten minutes
#   make screenshots  the portal's pages as pictures, in .cache/screenshots
#   make audit        known vulnerabilities of what is installed; needs the package index
#   make upgrade      newest versions that the pyproject.toml files allow, written to constraints.txt
#   make clean        forget .venv and the caches

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SOURCES := contract agent ingest billing tests $(wildcard bench)
DISTRIBUTIONS := -e ./contract -e ./agent -e './ingest[embedded]' -e ./billing
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

# Most of a test's time is waiting for a process. Each worker has services of its own and takes whole files.
WORKERS ?= 4

# The tests start hundreds of programs: where this is set, each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The name carries what was installed, so that a checkout of another state installs again.
DEPENDENCIES := $(sort constraints.txt pyproject.toml $(wildcard */pyproject.toml))
INSTALLED := .venv/installed-$(shell cat $(DEPENDENCIES) | sha256sum | cut -c1-16)

.PHONY: help setup install check check-types check-style check-imports check-deployment collect-tests
.PHONY: test test-gpu demo bench chaos screenshots audit upgrade clean

help:
	@sed -n '3,/^$$/s/^#  *//p' Makefile

setup: install
	@bash tests/system-packages.sh
	@$(BIN)/python -m tests.services

install: $(INSTALLED)

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "CardHour needs Python 3.11 or later: name one with make PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "no virtual environment: apt-get install python3-venv, or name another Python with PYTHON=" >&2; exit 1; }
	$(PIP) -c constraints.txt pip
	$(PIP) -c constraints.txt --build-constraint constraints.txt --group dev $(DISTRIBUTIONS)
	@rm -f .venv/installed-*
	@touch $@

check: check-types check-style check-imports check-deployment

check-types: install
	$(BIN)/mypy $(SOURCES)

check-style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-imports: install
	$(BIN)/lint-imports

check-deployment: install
	CARDHOUR_HOME=.cache/deploy-check CARDHOUR_WEB_HTTPS=true \
		$(BIN)/python -m django check --deploy --fail-level WARNING --settings cardhour_billing.settings

# mypy uses one processor. Beside it pytest reads the tests, once: each worker then finds them compiled.
collect-tests: install
	@mkdir -p .cache
	$(BIN)/pytest -qq --collect-only >.cache/collected || { cat .cache/collected >&2; exit 1; }

test: setup
	@$(MAKE) --no-print-directory --jobs=2 --output-sync collect-tests check
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-gpu: install
	$(BIN)/python -m tests.gpu

demo: install
	$(BIN)/cardhour demo

bench: install
	$(BIN)/python -m bench

chaos: setup
	$(BIN)/python -m tests.chaos

screenshots: setup
	$(BIN)/python -m tests.portal.screenshots

# In an environment of its own: it is no part of what it looks at. Strict: a package that could not be looked up is a failure.
audit:
	$(PYTHON) -m venv .cache/audit
	.cache/audit/bin/python -m pip install -q --disable-pip-version-check pip-audit
	.cache/audit/bin/pip-audit --strict --disable-pip --no-deps --vulnerability-service pypi -r constraints.txt

upgrade:
	rm -rf .cache/upgrade
	$(PYTHON) -m venv .cache/upgrade
	.cache/upgrade/bin/python -m pip install -q --upgrade pip
	.cache/upgrade/bin/python -m pip install -q --group dev $(DISTRIBUTIONS) hatchling editables
	.cache/upgrade/bin/python -m pip freeze --all --exclude-editable | grep -v -e @ -e '^setuptools=' >constraints.txt
	rm -rf .cache/upgrade

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
