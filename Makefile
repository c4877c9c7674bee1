# Short names for run.py; nothing needs them.
.DEFAULT_GOAL := help
.PHONY: help demo test check lock

COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-package satyapan --custom-compile-command "make lock" --quiet

help: ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: ## watch three verifications run
	python3 run.py demo

test: ## lint, types, import contracts and the tests
	python3 run.py test

check: ## ask the settings and the servers whether they are fit for production
	python3 run.py exec satyapan check

lock: ## pin every dependency again; needs uv, add UPGRADE=--upgrade for newer versions
	$(COMPILE) $(UPGRADE) --extra embedded --group dev --output-file requirements.lock
	$(COMPILE) --group build --no-annotate --constraint requirements.lock --output-file requirements-run.lock
	$(COMPILE) --extra embedded --group build --no-annotate --constraint requirements.lock --output-file requirements-demo.lock
