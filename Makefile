# `make help` lists what there is. Everything runs in .venv, which is made and kept up to date here.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION := false
BASE ?= main
export REASON BASE FIGURES
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help repro sweep test chaos ui search publish promote pr-report lint clean constraints

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

repro: $(READY) ## run what is not up to date: data, training, evaluation, pictures, MLflow, comparison
	python -m stages repro

sweep: $(READY) ## train what is unfinished of all chosen variants as one pool, here or on a cluster
	dvc repro prepare
	python -m stages sweep

test: $(READY) ## run all tests
	python -m pytest

chaos: $(READY) ## kill dvc repro 50 times at random moments, and compare what is left in the end
	python -m benchmarks.chaos --kills 50

ui: $(READY) ## open MLflow's pages on http://127.0.0.1:5000
	@case "$$MLFLOW_TRACKING_URI" in http*) \
		echo "MLFLOW_TRACKING_URI names a server: open its address in a browser."; exit 1;; esac
	@echo "All variants side by side, once it runs:"
	@echo "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=variants"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --host 127.0.0.1 --workers 1 \
		--backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}

search: $(READY) ## try the settings that params.yaml declares under `search`, print the best row
	dvc repro prepare
	python -m stages search

publish: $(READY) ## complete MLflow from the result files, whatever it lacks
	python -m stages publish --all
	python -m stages champion

promote: $(READY) ## make NAME's model the champion by hand; REASON="..." is written on it
	python -m stages promote '$(NAME)' --reason "$$REASON"

pr-report: $(READY) ## what this branch changes against BASE, in Markdown: make pr-report BASE=main
	@python -m stages pull-request "$$BASE" --figures "$$FIGURES"

lint: $(READY) ## check style, formatting and types
	ruff check .
	ruff format --check .
	mypy

# The notes of what MLflow lacks stay, or its runs would say RUNNING for ever.
clean: ## remove the environment, caches, kept folds, searches, fetched models; results and MLflow stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis
	test ! -d .foldlab || find .foldlab -mindepth 1 -maxdepth 1 ! -name runs ! -name unpublished \
		-exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

constraints: $(READY) ## pin all lists of requirements anew into constraints.txt (needs uv)
	uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-header --no-annotate \
		requirements.txt requirements-team.txt requirements-cluster.txt --output-file constraints.txt

$(READY): requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ $(PYTHON) --version; echo "Python 3.11 to 3.13 is needed: make PYTHON=/path/to/it"; exit 1; }
	.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement requirements.txt --constraint constraints.txt
	@touch $@
