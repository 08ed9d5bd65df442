#!/bin/sh
# Makes the project's environment in .venv from the pinned requirements; does nothing where it is current.
#
#   scripts/set_up.sh          what `make run` needs
#   scripts/set_up.sh tests    and what tests and linters need
#   scripts/set_up.sh bench    .venv-bench instead: the language part and the peers it is measured against
#
# PYTHON          the Python 3.11 to use (default: python3.11, python3 or python, whichever is 3.11)
# TORCH_INDEX_URL the index to take torch from, for that step alone. On Linux the default build of torch
#                 brings several GB for graphics cards; on a machine without one, name PyTorch's index of
#                 CPU builds here (its address is in PyTorch's own installation guide).
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}
UV_VERSION=0.13.9
case $purpose in
    bench) venv=.venv-bench files="requirements-bench.txt" ;;
    tests) venv=.venv files="requirements.txt requirements-dev.txt" ;;
    *) venv=.venv files="requirements.txt" ;;
esac

fail() { printf '%s\n' "$*" >&2; exit 1; }

is_3_11() { "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_3_11 "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11, which this project needs. Name one: PYTHON=/path/to/python3.11 scripts/set_up.sh $purpose"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.11 python3 python; do
        if is_3_11 "$candidate"; then echo "$candidate"; return; fi
    done
    fail "No Python 3.11 found (python3 is: $(python3 --version 2>&1 | head -n 1)). Install Python 3.11, or name one: PYTHON=/path/to/python3.11 scripts/set_up.sh $purpose"
}

fingerprint() {
    cat requirements-torch.txt pyproject.toml "$@" | "$venv/bin/python" -c \
        'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), sys.prefix)'
}

is_current() { # purpose, requirement files
    stamp=$venv/.installed-$1
    shift
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$@")" ]
}

if [ ! -x "$venv/bin/python" ] || ! is_3_11 "$venv/bin/python"; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" ||
        fail "$python cannot make a virtual environment. On Debian and Ubuntu: apt install python3.11-venv"
fi

# shellcheck disable=SC2086
if is_current "$purpose" $files; then exit 0; fi

started=$(date +%s)
echo "Installing the pinned requirements (once; a few minutes, about 2 GB on disk)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
    fail "pip cannot install uv: is a package index within reach (pip config list)?"
. scripts/index_settings.sh
uv() { VIRTUAL_ENV="$PWD/$venv" "$venv/bin/uv" pip "$@" --quiet; }

if [ -n "${TORCH_INDEX_URL:-}" ]; then
    uv install --requirements requirements-torch.txt --index-url "$TORCH_INDEX_URL"
else
    uv install --requirements requirements-torch.txt
fi
for file in $files; do
    uv install --requirements "$file"
done
uv install --quiet --no-deps --editable .
# shellcheck disable=SC2086
fingerprint $files >"$venv/.installed-$purpose"
if [ "$purpose" = tests ]; then fingerprint requirements.txt >"$venv/.installed-run"; fi
echo "Environment ready after $(($(date +%s) - started)) s"
