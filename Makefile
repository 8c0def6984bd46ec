# Everything a person types. `make run` and `make test` set up what they need by themselves.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: run test browser promtool faults bench lint format lock schemas setup clean help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## set up, and run the whole system on this machine (Ctrl-C ends it)
	@$(BIN)/casetrail up

test: $(READY) browser promtool lint ## set up, lint, and run the tests
	$(BIN)/pytest -m "not faults and not bench" -n 3 --dist loadfile

browser: ## Debian's chromium for the tests in a real browser, where it is missing and may be installed
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -qq -y chromium >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -qq -y chromium >/dev/null; }; }; } || \
		echo "There is no chromium: the tests in a real browser are skipped. As root: apt-get install chromium"

promtool: $(READY) ## Debian's promtool for the tests of the alerts, where it is missing and can be had
	@test -x $(BIN)/promtool || command -v promtool >/dev/null || { command -v apt-get dpkg-deb >/dev/null && \
		cd $(VENV) && { apt-get -qq download prometheus >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get -qq download prometheus >/dev/null; }; } && \
		dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 -C bin ./usr/bin/promtool && \
		rm prometheus_*.deb ; } || \
		echo "There is no promtool: its check of the alerts is skipped. As root: apt-get install prometheus"

faults: $(READY) ## kill processes and brokers under load (minutes)
	$(BIN)/pytest -m faults -s

bench: $(READY) ## print ratios against the raw limits, measured in the same run (minutes)
	$(BIN)/python -m tests.bench

lint: $(READY) ## style, types, import rules, published contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.publish --check
	$(BIN)/python -m contracts.compatibility

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(READY) ## write contracts/published from the models
	$(BIN)/python -m contracts.publish

lock: $(READY) ## resolve the dependencies anew, with hashes
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml -o requirements-dev.lock

setup: $(READY) ## only set up

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Casetrail needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean: ## remove what was set up (not the data in .casetrail)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
