# Short names for run.py; nothing depends on them.
.DEFAULT_GOAL := help
.PHONY: help demo test check lock

COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-package satyapan --custom-compile-command "make lock" --quiet

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: ## run three verifications here
	python3 run.py demo

test: ## lint, types, import contracts and the tests
	python3 run.py test

check: ## check the settings and the servers that they name
	python3 run.py exec satyapan check

lock: ## write the lock files; needs uv, add UPGRADE=--upgrade for newer versions
	$(COMPILE) $(UPGRADE) --extra embedded --group dev --output-file requirements.lock
	$(COMPILE) --group build --no-annotate --constraint requirements.lock --output-file requirements-run.lock
	$(COMPILE) --extra embedded --group build --no-annotate --constraint requirements.lock --output-file requirements-demo.lock
