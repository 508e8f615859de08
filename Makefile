# spark-mode: `make` shows what there is. `make demo` and `make test` need nothing else to be done first.

SHELL := /bin/sh
PROFILE ?= omni
ARCH ?=
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SITE := .venv-docs
TO_RUN := $(VENV)/.to-run
COMPILED := $(VENV)/.compiled-tests
# What is compiled is kept, whatever the environment says of that: else each process of the tests compiles all of them anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest
TESTS := $(PYTEST) --numprocesses 5 --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup engine systemd chromium debian ssh stand-in torch demo test quick test-deep documents pictures docs deb lint bench switch-to-training switch-to-audio status clean

help: ## Show these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(STAMP) ## Install spark-mode and its development tools into .venv; nothing outside changes

$(STAMP): pyproject.toml requirements-dev.lock scripts/setup.sh
	@sh scripts/setup.sh $(VENV)
	@touch $@

# What a demo needs is a part of it, and is there where the whole is.
$(TO_RUN): pyproject.toml scripts/setup.sh
	@test -e $(STAMP) || sh scripts/setup.sh $(VENV) --to-run
	@touch $@

engine: ## Use the Docker Engine that is there; on bare Debian, as root, install and start one
	@sh scripts/engine.sh

systemd: ## Use systemd's checks of units that are there; on bare Debian, as root, install them
	@sh scripts/systemd.sh

chromium: ## Use the Chromium that is there; on bare Debian, as root, install it
	@sh scripts/chromium.sh

debian: ## Use Debian's tools for packages that are there; on bare Debian, as root, install them
	@sh scripts/debian.sh

ssh: ## Use the OpenSSH server that is there; on bare Debian, as root, install one and do not start it
	@sh scripts/ssh.sh

stand-in: engine ## Build the image of the stand-in lab
	@compose/stand-in/build.sh

torch: setup engine ## Build the image in which the trainer learns on a CPU
	@compose/training/build-cpu.sh $(PYTHON)

demo: $(TO_RUN) engine ## Switch the stand-in lab back and forth, explained; leaves nothing running
	@sh scripts/demo.sh

test: setup systemd chromium ssh stand-in torch ## Lint, types, and the tests, on a real engine
	@$(MAKE) --no-print-directory --jobs=2 lint $(COMPILED)
	@$(TESTS)

# One process compiles the tests, while types are checked, and the five that run them need not.
$(COMPILED): $(STAMP) $(wildcard tests/*.py tests/*/*.py)
	@$(PYTEST) --collect-only --quiet >/dev/null || true  # what is wrong is said when they run
	@touch $@

quick: lint ## Lint, types, the unit tests and the smallest of the simulation, in about a minute; needs no engine
	@$(PYTEST) -q -n auto tests/unit tests/simulation/test_switch.py tests/simulation/test_brake.py tests/simulation/test_questions.py

test-deep: lint systemd chromium debian ssh stand-in torch ## The same with 10,000 histories and labs, every crash of every recovery, 100 kills and 20 minutes of everybody acting at once on a real engine; the better part of an hour
	@export SPARK_MODE_DEEP=1 SPARK_MODE_HISTORIES=10000 SPARK_MODE_LABS=10000; $(TESTS)

documents: setup ## Make anew what of the documents is made: screens, those of tests/screens too, the keys of rules.yaml
	@$(PYTHON) -m documents

pictures: setup chromium ## Take the pictures of the page anew, after a change of what it shows
	@$(PYTHON) -m documents.page_pictures

docs: $(SITE)/.installed ## Build the documents as a site, build/site, with every link checked; needs no network but to install
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict --quiet
	@echo "The site is build/site/index.html."

$(SITE)/.installed: requirements-docs.lock
	@python3 -m venv $(SITE)
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-docs.lock
	@touch $@

deb: setup ## Build the Debian package into dist; ARCH=arm64 builds that for a Spark on any machine
	@$(PYTHON) -m deb $(ARCH)

lint: setup ## Style and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy compose/training
	@MYPYPATH=compose/stand-in $(VENV)/bin/mypy compose/stand-in
	@$(VENV)/bin/mypy compose/images
	@$(VENV)/bin/hadolint compose/images/*/Dockerfile compose/training/Dockerfile compose/stand-in/Dockerfile

bench: setup chromium ssh stand-in torch ## Compare with plain docker compose: ratios of one run; time the planner; let the trainer learn
	@$(PYTHON) benchmarks/switch.py
	@$(PYTHON) -m benchmarks.many
	@$(PYTHON) -m benchmarks.layers
	@$(PYTHON) -m benchmarks.plan
	@$(PYTHON) -m benchmarks.journal
	@$(PYTHON) -m benchmarks.trainer
	@$(PYTHON) -m benchmarks.page
	@$(PYTHON) -m benchmarks.fleet
	@$(PYTHON) -m benchmarks.nodes

switch-to-training: setup ## Stop audio, start training
	@$(VENV)/bin/spark-mode training

switch-to-audio: setup ## Stop training, start audio: PROFILE=omni, chatterbox, xtts, qwen or f5
	@$(VENV)/bin/spark-mode audio $(PROFILE)

status: setup ## Show what runs
	@$(VENV)/bin/spark-mode status

clean: ## Remove .venv and caches
	@rm -rf $(VENV) $(SITE) build/site .mypy_cache .pytest_cache .ruff_cache .hypothesis
