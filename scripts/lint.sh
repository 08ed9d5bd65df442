#!/bin/sh
# Every static check; the first that fails ends it.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" DBT_SEND_ANONYMOUS_USAGE_STATS=False DO_NOT_TRACK=1
ruff check .
ruff format --check --quiet . || { echo "Some files are not formatted: run \`ruff format .\`" >&2; exit 1; }
mypy
lint-imports
if [ -f dbt_project/dbt_project.yml ]; then
    # Neither needs a database: the profile only wants its variables to be set.
    export FEEDBACK_DB_HOST=127.0.0.1 FEEDBACK_DB_PORT=1 FEEDBACK_DB_NAME=feedback FEEDBACK_DBT_USER=pipeline
    export FEEDBACK_SECRET_PIPELINE_PASSWORD=unused FEEDBACK_MARTS_SLOT=marts_blue
    dbt --warn-error parse --project-dir dbt_project --profiles-dir dbt_project --no-partial-parse --quiet
    (cd dbt_project && sqlfluff lint --nocolor --processes 2 models tests)
fi
