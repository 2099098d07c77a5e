# Works on a fresh clone with Python 3.11+, pip and make: uv is fetched into .tools, everything else into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/uv-$(UV_VERSION)/bin/uv
RUN := $(UV) run --no-sync
export UV_PYTHON_DOWNLOADS ?= never
export UV_PYTHON ?= $(PYTHON)

.PHONY: help install demo up test check bench browser format

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools/uv-$(UV_VERSION) uv==$(UV_VERSION)

install: $(UV)  ## install into .venv (EXTRAS="--extra gpu" for NVIDIA GPUs)
	@$(UV) sync --locked --inexact --quiet --all-groups --compile-bytecode $(EXTRAS)
	@$(RUN) python -m flows.server prepare

demo: install  ## start everything, transcribe the sample, go on serving (ARGS=--exit stops after it)
	$(RUN) transcriber up --demo $(ARGS)

up: install  ## start everything on this machine
	$(RUN) transcriber up $(ARGS)

test: install browser  ## all tests: real engine, ledger, Prefect server, S3 servers and Chromium
ifdef ARGS
	$(RUN) pytest $(ARGS)
else
	$(RUN) pytest -n auto --dist loadfile -m "not acceptance"
	$(RUN) pytest -m acceptance
endif

check: install  ## lint, format and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

format: install  ## let ruff mend what it can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: install  ## measure what benchmarks/README.md reports (takes long; wants a quiet machine)
	$(RUN) python -m benchmarks $(ARGS)

browser:  # tests drive a real Chromium: the one on this machine, else Debian's, else Playwright's
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  $(RUN) playwright install chromium
