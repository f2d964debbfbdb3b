# Everything sets itself up: `make demo` needs Python 3.11 or newer, make and a package index.
.DEFAULT_GOAL := help
.PHONY: help demo test judges stores fuzz lint types audit docs build bench e2e chaos scale ui pictures matrix clean

PYTHON ?=
EMAILS ?= dags_examples/data/emails.csv
ENCODING ?= utf-8
PORT ?= 0
VENDOR ?=
ONLY ?=
SECONDS ?= 600
# A fresh environment is compiled once, not on every start.
export PYTHONDONTWRITEBYTECODE :=
bin := .venv/bin

help: ## Show this
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/.ready ## Verify a list from end to end, in a sandbox of the vendors (EMAILS=my.csv, VENDOR=mailgun)
	@$(bin)/python dags_examples/demo.py --emails "$(EMAILS)" --encoding "$(ENCODING)" --port "$(PORT)" --vendor "$(VENDOR)"

test: .venv/.ready ## Run the tests
	@$(bin)/python -m pytest -n 2 --dist loadscope tests/integration tests/unit

judges: .venv/.ready ## Install the vendors' own clients, by which make test judges the sandbox: Python's, and Node's if npm is here
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(bin)/python -m ensurepip
	@$(bin)/python -m pip install --quiet --editable ".[judges]"
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-audit --no-fund --prefix .judges mailgun.js@14.0.1 verifalia@5.0.0; \
	else echo "There is no npm: the clients for Node are left out."; fi

stores: .venv/.ready ## Install servers of S3, Azure's and Google's storage (npm for Azure's), and run the tests against them
	@$(bin)/python .ci/environment.py .venv --extras stores
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-audit --no-fund --prefix .stores azurite@3.37.0; \
	else echo "There is no npm: Azure's storage is left out."; fi
	@$(bin)/python -m pytest -rs tests/integration/test_stores.py tests/stores/test_stores.py

fuzz: .venv/.ready ## Feed readers and writers with hostile input for ten minutes (SECONDS=60)
	@$(bin)/python -m tests.fuzz.run --seconds $(SECONDS)

lint: .venv/.ready ## Check style and formatting
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .

types: .venv/.ready ## Check types, strictly
	@$(bin)/mypy

audit: .venv/.ready ## Look up every installed package in the advisories of PyPI, which has to be reached
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(bin)/python -m ensurepip
	@$(bin)/python -m pip install --quiet --editable ".[audit]"
	@$(bin)/python .ci/audit.py

docs: .venv/.ready ## Make the site of the documentation, into build/docs, and check its links
	@AIRFLOW_HOME=$(CURDIR)/build/airflow $(bin)/sphinx-build -q -W --keep-going -j auto -d build/doctrees docs build/docs

build: .venv/.ready ## Make what a release uploads, into dist, and check it
	@rm -rf dist
	@$(bin)/python -m build --no-isolation >/dev/null
	@$(bin)/twine check --strict dist/*

bench: .venv/.ready ## Measure large downloads, results in one schema, lists, merges and many waits beside their peers
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(bin)/python -m ensurepip
	@$(bin)/python -m pip install --quiet --editable ".[bench]"
	@$(bin)/python tests/benchmarks/run.py
	@$(bin)/python tests/benchmarks/results.py
	@$(bin)/python tests/benchmarks/submit.py
	@$(bin)/python tests/benchmarks/known.py
	@$(bin)/python tests/benchmarks/merge.py
	@$(bin)/python tests/benchmarks/waits.py
	@$(bin)/python tests/benchmarks/waits.py --kinds ours --loads 1000x10 --hanging 1000
	@$(bin)/python tests/benchmarks/waits.py --kinds ours --loads 1000x30 --listed 2000
	@$(bin)/python tests/benchmarks/pace.py
	@$(bin)/python tests/benchmarks/deployment.py

e2e: .venv/.ready ## Ten minutes of Airflow as teams deploy it: Celery, PostgreSQL, Redis, S3; the wheel (ONLY=wheel for some)
	@$(bin)/python -m pytest tests/e2e -rs -k "$(ONLY)"

chaos: .venv/.ready ## Half an hour of that deployment while its parts are killed and taken away (ONLY=broker for some)
	@$(bin)/python -m pytest tests/chaos -rs -s -k "$(ONLY)"
	@if [ -z "$(ONLY)" ]; then cp build/chaos.csv docs/recovery.csv; fi

scale: .venv/.ready ## Many: 1,000 batches in a run, 2,000 waits in a triggerer
	@$(bin)/python -m pytest tests/scale -rs -k "$(ONLY)"

ui: .venv/.browser ## Airflow's UI in a browser: connection forms, logs, links, the repair of a batch in doubt
	@$(bin)/python -m pytest tests/ui -rs -k "$(ONLY)"

pictures: .venv/.browser ## Take the pictures of the documentation anew; they need Chromium
	@$(bin)/python -m tests.ui.pictures docs/images

matrix: ## Run the tests on every supported Airflow (ONLY="2.11 3.3" for some)
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/matrix.py $(ONLY)

clean: ## Remove what make has made
	rm -rf .venv .demo .judges .stores .matrix .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/.browser: .venv/.ready
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(bin)/python -m ensurepip
	@$(bin)/python -m pip install --quiet --editable ".[browser]"
	@touch $@

.venv/.ready: pyproject.toml .ci/environment.py
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/environment.py .venv
	@touch $@
