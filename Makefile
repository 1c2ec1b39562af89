# `make help` lists what there is. Everything runs in .venv, which is made and kept up to date here.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION := false
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help repro test ui publish lint clean constraints

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

repro: $(READY) ## run what is not up to date: data, training, evaluation, pictures, MLflow, comparison
	dvc repro prepare
	python -m stages.commands.sweep
	dvc repro
	@cat results/comparison.md

test: $(READY) ## run all tests
	python -m pytest

ui: $(READY) ## open MLflow's pages on http://127.0.0.1:5000
	@echo "All variants side by side, once it runs:"
	@echo "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=variants"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --host 127.0.0.1 --workers 1 \
		--backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}

publish: $(READY) ## complete MLflow from the result files, whatever it lacks
	python -m stages.publish --all
	python -m stages.commands.champion

lint: $(READY) ## check style and formatting
	ruff check .
	ruff format --check .

clean: ## remove the environment, caches and unfinished folds; results and MLflow's store stay
	rm -rf .venv .foldlab .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

constraints: $(READY) ## pin requirements.txt anew into constraints.txt (needs uv)
	uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-header --no-annotate \
		requirements.txt --output-file constraints.txt

$(READY): requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ $(PYTHON) --version; echo "Python 3.11 or newer is needed: make PYTHON=/path/to/it"; exit 1; }
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement requirements.txt --constraint constraints.txt
	@touch $@
