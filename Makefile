# Short names for run.py; nothing depends on them.
.DEFAULT_GOAL := help
.PHONY: help demo test check lock

LOCKED = --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --quiet
COMPILE = uv pip compile pyproject.toml --no-emit-package satyapan $(LOCKED)

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: ## run verifications of several kinds here
	python3 run.py demo

test: ## lint, types, import contracts and the tests
	python3 run.py test

check: ## check the settings and the servers that they name
	python3 run.py exec satyapan check

lock: ## write the lock files; needs uv, add UPGRADE=--upgrade for newer versions
	$(COMPILE) $(UPGRADE) --extra embedded --group dev --output-file requirements.lock
	$(COMPILE) --group build --no-annotate --constraint requirements.lock --output-file requirements-run.lock
	$(COMPILE) --extra embedded --group build --no-annotate --constraint requirements.lock --output-file requirements-demo.lock
	uv pip compile tests/contract/sdk/requirements.in $(LOCKED) $(UPGRADE) --no-annotate --output-file tests/contract/sdk/requirements.lock
