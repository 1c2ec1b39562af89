# `make help` lists the commands. Everything runs in .venv, which is created and updated here.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION := false
BASE ?= main
PORT ?= 5000
export REASON BASE FIGURES
READY := .venv/ready
LISTS := requirements.txt requirements-team.txt requirements-cluster.txt requirements-export.txt
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

.DEFAULT_GOAL := help
.PHONY: help try new repro sweep suite test chaos ui search learning-curve prune publish promote \
	pr-report lint clean clean-all constraints sbom

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

try: $(READY) ## run the whole pipeline, trained on 1,000 digits, in a minute, in a separate folder
	@python -m stages try

new: $(READY) ## set up params.yaml for your own images: make new DATA=~/photos
	@python -m stages new "$(DATA)" $(if $(FORMAT),--format "$(FORMAT)")

repro: $(READY) ## run what is not up to date: data, training, evaluation, pictures, MLflow, comparison
	@python -m stages repro

sweep: $(READY) ## train the unfinished folds of all chosen variants as one pool, here or on a cluster
	@python -m stages repro prepare
	python -m stages sweep

suite: $(READY) ## compare the chosen variants on the data sets that params.yaml lists under `suite`
	@python -m stages suite

test: $(READY) ## run all tests
	python -m pytest

chaos: $(READY) ## kill dvc repro 50 times at random moments, and compare the results
	python -m benchmarks.chaos --kills 50

ui: $(READY) ## open MLflow's pages on this machine: make ui PORT=5000
	@python -m stages ui --port $(PORT)

search: $(READY) ## try the settings that params.yaml declares under `search`, print the best row
	@python -m stages repro prepare
	python -m stages search

learning-curve: $(READY) ## estimate what more images would gain: make learning-curve [VARIANTS="basic resnet"]
	python -m stages learning-curve $(VARIANTS)

prune: $(READY) ## list what is left of variants that were removed from params.yaml; YES=1 removes it
	@python -m stages prune $(if $(YES),--yes)

publish: $(READY) ## upload the results that are missing from MLflow
	python -m stages publish --all

promote: $(READY) ## make NAME's model the champion by hand; REASON="..." is stored with it
	python -m stages promote '$(NAME)' --reason "$$REASON"

pr-report: $(READY) ## report what this branch changes against BASE, in Markdown: make pr-report BASE=main
	@python -m stages pull-request "$$BASE" --figures "$$FIGURES"

lint: $(READY) ## check style, formatting and types
	ruff check .
	ruff format --check .
	mypy

# Notes on what is missing from MLflow are kept; otherwise its runs would stay RUNNING for ever.
clean: ## remove caches and finished folds; the environment, searches, results and MLflow stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis
	test ! -d .foldlab || find .foldlab -mindepth 1 -maxdepth 1 ! -name runs ! -name unpublished \
		! -name search ! -name models -exec rm -rf {} +
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## remove the environment, searches and fetched models too
	rm -rf .venv .foldlab/search .foldlab/models

constraints: $(READY) ## pin all requirements again, with the digests of packages (needs uv)
	$(COMPILE) --upgrade $(LISTS) --output-file constraints.txt
	for list in $(LISTS); do $(COMPILE) --generate-hashes --constraint constraints.txt $$list \
		--output-file $${list%.txt}.lock || exit 1; done

sbom: $(READY) ## list the packages in .venv as sbom.json, in CycloneDX format (needs pipx)
	pipx run --spec cyclonedx-bom cyclonedx-py environment .venv --output-file sbom.json

# The second command installs what was added to requirements.txt since the lock was made.
$(READY): requirements.txt constraints.txt requirements.lock
	@$(PYTHON) -c '$(SUPPORTED)' || \
		{ $(PYTHON) --version; echo "Python 3.11 to 3.13 is needed: make PYTHON=/path/to/it"; exit 1; }
	.venv/bin/python -c 'import pip; $(SUPPORTED)' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement requirements.txt --constraint constraints.txt
	@touch $@
