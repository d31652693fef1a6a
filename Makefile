# Two commands matter: `make run` and `make test`. Everything they need is installed into .venv and, for the sandbox,
# under ~/.cache/cluster-ui and ~/.local/share/cluster-ui.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
S3 := .venv-s3/.made

.PHONY: run stop clean test check unit cluster browser image real tour faults bench lock vendor help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

run: $(RUNTIME) ## everything: environment, database, a cluster if there is none, the server and a link to sign in
	@$(BIN)/python manage.py run --port $(PORT)

stop: ## stop the sandbox cluster; its objects are kept
	@if [ -x $(BIN)/python ]; then $(BIN)/python manage.py sandbox down; else echo "Nothing has been started here."; fi

clean: ## stop and delete the sandbox with its objects, the environment, the database and collected files; backups stay
	@if [ -f var/sandbox ]; then $(BIN)/python -c "from sandbox import Sandbox; Sandbox(open('var/sandbox').read()).destroy()"; fi
	@if [ -d var ]; then find var -mindepth 1 -maxdepth 1 ! -name backups -exec rm -rf {} +; fi
	@if [ -n "$$(ls var/backups 2>/dev/null)" ]; then echo "Backups stay in var/backups: delete it if you want."; else rm -rf var; fi
	rm -rf .venv .venv-s3 staticfiles test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@echo "The sandbox's programs stay in ~/.cache/cluster-ui (6 minutes to build again): delete it if you want."

test: $(DEV) $(S3) ## install what the tests need and run all of them
	@$(BIN)/python -m tools.test

check: $(DEV) ## linters, types, layers, deployment and migration checks
	@$(BIN)/python -m tools.test --only checks

unit: $(DEV) ## tests that need no cluster
	@$(BIN)/python -m tools.test --only unit

cluster: $(DEV) ## tests against a real API server of their own
	@$(BIN)/python -m tools.test --only cluster

browser: $(DEV) ## tests in a real browser
	@$(BIN)/python -m tools.test --only browser

image: $(DEV) ## build the container image and try it (Debian, root)
	@$(BIN)/python -m tools.test --only image

real: $(DEV) ## tests in which containers really run, on a node of their own (Debian, root)
	@$(BIN)/python -m tools.test --only real

tour: $(DEV) ## one of those tests, which makes the pictures of docs/tour.md
	@$(BIN)/python -m tools.test --only tour

faults: $(DEV) ## the tests of faults, many times each
	@$(BIN)/python -m tools.test --only faults

bench: $(DEV) ## the benchmarks
	@$(BIN)/python -m bench

lock: $(DEV) ## compile requirements*.in into requirements*.txt, with hashes
	@for name in requirements requirements-dev; do \
		$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-find-links --no-header \
			-o $$name.txt $$name.in; done
	@echo 'python-dateutil~=2.9.0' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-find-links \
		--no-header --override /dev/stdin -o requirements-s3.txt requirements-s3.in

vendor: $(DEV) ## fetch the front-end files anew from npm, as static/vendor says
	@$(BIN)/python tools/vendor.py --update

.venv/bin/python:
	@echo "Making a virtual environment in .venv (a few seconds)…"
	@$(PYTHON) -m venv .venv

$(RUNTIME): requirements.txt | .venv/bin/python
	@echo "Installing what the dashboard needs (about 20 s)…"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt requirements.txt | .venv/bin/python
	@echo "Installing what the tests need (about 60 s)…"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $(RUNTIME) $@

# Without looking at what the packages ask of each other: one of them is older than the client of Kubernetes says.
$(S3): requirements-s3.txt
	@echo "Installing what the tests of S3 need (about 60 s)…"
	@$(PYTHON) -m venv .venv-s3
	@.venv-s3/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-s3.txt
	@touch $@
