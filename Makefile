# Targets a developer needs; README.md shows them in order.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# bytecode is kept, or each child process of a test would compile every module again
unexport PYTHONDONTWRITEBYTECODE
# the tests of a file stay together: some go on where the one before has ended
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: help run down setup lock test test-all check types warm format screenshots clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /: /'

run: setup ## set up, create the database, start the engine, serve the console here
	@$(BIN)/python -m crypto_trader_pro up

down: setup ## end console and engine; positions keep their protective orders
	@$(BIN)/python -m crypto_trader_pro down

setup: $(BIN)/.ready ## install both requirement sets into .venv; starts nothing

$(BIN)/.ready: requirements.txt requirements-dev.txt
ifneq ($(UV),)
	test -d $(VENV) || uv venv -q --python $(PYTHON) $(VENV)
	uv pip install -q --compile-bytecode --python $(BIN)/python -r requirements.txt -r requirements-dev.txt
else
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r requirements.txt -r requirements-dev.txt
endif
	touch $@

lock: ## compile the requirement files from pyproject.toml
	uv pip compile -q pyproject.toml -o requirements.txt --python-version 3.11 --no-emit-index-url --no-annotate
	uv pip compile -q pyproject.toml --extra dask -c requirements.txt -o requirements-dask.txt --python-version 3.11 --no-emit-index-url --no-annotate
	uv pip compile -q pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt --python-version 3.11 --no-emit-index-url --no-annotate

test: setup ## the tests, on SQLite and on a PostgreSQL that comes as a package
	$(PYTEST)

test-all: setup ## the slow ones too
	$(PYTEST) -m "slow or not slow"

check: setup ## format, lint, types, layers, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j 2 types warm
	$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

types:
	$(BIN)/mypy

# what both workers of the tests would begin with: machine code of the kernel, bytecode of the rest
warm:
	$(BIN)/python -m tests.compiled
	@mkdir -p .pytest_cache; $(BIN)/python -m pytest --collect-only > .pytest_cache/warm.txt \
		|| { tail -40 .pytest_cache/warm.txt; false; }

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: setup ## the pictures of README and docs, of a real engine on the demo market
	$(BIN)/python -m tests.long.screenshots

clean: ## remove caches; var/ and .venv stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
