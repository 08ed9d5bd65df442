#!/bin/sh
# Compiles requirements*.in into pinned requirements*.txt that name no index and no host.
# torch is left out with all that it alone brings (its build differs between machines).
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
without_torch=$(mktemp)
trap 'rm -f "$without_torch"' EXIT
echo torch >"$without_torch"
. scripts/index_settings.sh

header() { printf '# Compiled from %s: edit that, then `make requirements`.\n' "$1"; }
runtime=$($uv pip compile requirements.in --python-version 3.11 --excludes "$without_torch" \
    --no-header --no-annotate --quiet)
{ header requirements.in; echo "$runtime"; } >requirements.txt
development=$($uv pip compile requirements-dev.in --constraints requirements.txt --python-version 3.11 \
    --excludes "$without_torch" --no-header --no-annotate --quiet)
{ header requirements-dev.in; echo "$development"; } >requirements-dev.txt
benchmark=$($uv pip compile requirements-bench.in --constraints requirements.txt --python-version 3.11 \
    --excludes "$without_torch" --no-header --no-annotate --quiet)
{ header requirements-bench.in; echo "$benchmark"; } >requirements-bench.txt
