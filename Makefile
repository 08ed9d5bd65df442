# The commands of the project; each is a thin call of `patient-feedback`. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests run stop status psql docs test lint requirements train bench-language bench-ingestion bench-marts
SHELL := /bin/sh
CLI := .venv/bin/patient-feedback
ROLE ?= analyst

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | sed 's/|/\t/' | expand -t 24

setup: ## make .venv from the pinned requirements
	@scripts/set_up.sh run

setup-tests: ## and what tests and linters need
	@scripts/set_up.sh tests

run: setup ## run the whole workflow once: make run [SOURCES=path/to/sources.yml]
	@$(CLI) run $(if $(SOURCES),--sources "$(SOURCES)")

stop: setup ## stop PostgreSQL and Airflow
	@$(CLI) down

status: setup ## say what runs
	@$(CLI) status || [ $$? -eq 3 ]

psql: setup ## open SQL in a room: make psql ROLE=analyst|auditor|engineer [SQL="select ..."]
	@$(CLI) psql --role "$(ROLE)" $(if $(SQL),-c "$(SQL)")

docs: setup ## write the data dictionary: every published table and column on one page
	@$(CLI) dictionary

test: setup-tests ## run all tests: make test [ARGS="tests/unit -k dates"]
	@.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup-tests ## ruff, mypy, import arrows, sqlfluff, dbt parse
	@scripts/lint.sh

requirements: setup-tests ## compile requirements*.in into pinned requirements*.txt
	@scripts/compile_requirements.sh

train: setup ## train the heads for sentiment and topics: make train LABELLED=path/to/labelled.csv
	@$(CLI) train --labelled "$(LABELLED)"

bench-language: ## measure the language part against its peers: make bench-language [ARGS="--quick"] (see benchmarks/README.md)
	@scripts/set_up.sh bench
	@.venv-bench/bin/python -m benchmarks.language $(ARGS)

bench-ingestion: setup ## measure landing and acceptance: make bench-ingestion [ARGS="--only memory"] (see benchmarks/README.md)
	@.venv/bin/python -m benchmarks.ingestion $(ARGS)

bench-marts: setup ## measure a build of the marts, from nothing and going on (see benchmarks/README.md)
	@.venv/bin/python -m benchmarks.marts $(ARGS)
