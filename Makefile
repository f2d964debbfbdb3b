# Everything sets itself up: `make demo` needs Python 3.11 or newer, make and a package index.
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint types bench e2e matrix clean

PYTHON ?=
EMAILS ?= dags_examples/data/emails.csv
PORT ?= 0
ONLY ?=
SECONDS ?= 600
# A fresh environment is compiled once, not on every start.
export PYTHONDONTWRITEBYTECODE :=
bin := .venv/bin

help: ## Show this
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/.ready ## Verify a list from end to end, in a sandbox of both vendors (EMAILS=my.csv, PORT=8025)
	@$(bin)/python dags_examples/demo.py --emails "$(EMAILS)" --port "$(PORT)"

test: .venv/.ready ## Run the tests
	@$(bin)/python -m pytest -n 2 --dist loadscope tests/unit tests/integration

fuzz: .venv/.ready ## Feed readers and writers with hostile input for ten minutes (SECONDS=60)
	@$(bin)/python -m tests.fuzz.run --seconds $(SECONDS)

lint: .venv/.ready ## Check style and formatting
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .

types: .venv/.ready ## Check types, strictly
	@$(bin)/mypy

bench: .venv/.ready ## Measure large downloads, results in one schema, lists, merges and many waits beside their peers
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(bin)/python -m ensurepip
	@$(bin)/python -m pip install --quiet --editable ".[bench]"
	@$(bin)/python tests/benchmarks/run.py
	@$(bin)/python tests/benchmarks/results.py
	@$(bin)/python tests/benchmarks/submit.py
	@$(bin)/python tests/benchmarks/merge.py
	@$(bin)/python tests/benchmarks/waits.py
	@$(bin)/python tests/benchmarks/waits.py --kinds ours --loads 1000x10 --hanging 1000
	@$(bin)/python tests/benchmarks/waits.py --kinds ours --loads 1000x30 --listed 2000

e2e: .venv/.ready ## Half an hour of real Airflow: kills, 1,000 batches, 2,000 waits, the wheel (ONLY=kills for some)
	@$(bin)/python -m pytest tests/e2e -rs -k "$(ONLY)"

matrix: ## Run the tests on every supported Airflow (ONLY="2.11 3.3" for some)
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/matrix.py $(ONLY)

clean: ## Remove what make has made
	rm -rf .venv .demo .matrix .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/.ready: pyproject.toml .ci/environment.py
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/environment.py .venv
	@touch $@
