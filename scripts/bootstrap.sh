#!/usr/bin/env bash
# Makes .venv hold what requirements/<run|dev>.lock names, and this checkout in editable form.
# Needs Python 3.11 or newer. Uses uv from PATH; where there is none, puts the locked one into .venv.
# Mirrors are taken from the usual variables (PIP_INDEX_URL, UV_DEFAULT_INDEX, …) or pip's own configuration.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:?run or dev}
# An environment once made for the tests stays one: dev.lock holds everything of run.lock at the same versions.
if [ -e .venv/.ready-dev ]; then what=dev; fi

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_apt() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    say "Watchkeeper needs Python 3.11 or newer and found none; PYTHON=/path/to/python make … names one."
    return 1
}

# Debian ships `venv` without what it needs, in a package of its own.
ensure_venv_module() {
    if "$1" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    if can_apt; then
        say "Installing python3-venv …"
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
    fi
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        say "This Python has no venv module. On Debian: apt-get install python3-venv. Or install uv."
        return 1
    fi
}

share_mirrors() {
    local configured=""
    if [ -x .venv/bin/pip ]; then configured=$(.venv/bin/pip config get global.index-url 2>/dev/null || true); fi
    local index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-$configured}}}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index" PIP_INDEX_URL="$index"; fi
    # uv calls these otherwise; a certificate bundle of a company is nearly always needed with its mirror.
    if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then export UV_EXTRA_INDEX_URL="${UV_EXTRA_INDEX_URL:-$PIP_EXTRA_INDEX_URL}"; fi
    if [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"; fi
}

install_locked_uv() {
    local pinned
    pinned=$(mktemp)
    awk '/^uv==/ {wanted = 1} wanted && /^ *#/ {exit} wanted' requirements/dev.lock >"$pinned"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$pinned"
    rm -f "$pinned"
}

python_works() {
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

say "Preparing .venv ($what) …"
share_mirrors
if uv=$(command -v uv); then
    if ! python_works; then "$uv" venv --quiet --clear --python "$(find_python)" .venv; fi
else
    uv=.venv/bin/uv
    if ! python_works; then
        python=$(find_python)
        ensure_venv_module "$python"
        "$python" -m venv --clear .venv
        share_mirrors
    fi
    if [ ! -x "$uv" ]; then install_locked_uv; fi
fi

export VIRTUAL_ENV="$PWD/.venv" UV_LINK_MODE="${UV_LINK_MODE:-copy}"
sync=("$uv" pip sync --quiet --require-hashes "requirements/$what.lock")
# Offline first: whoever only touched a file, or works on a train, has everything in uv's cache.
"${sync[@]}" --offline 2>/dev/null || "${sync[@]}"
"$uv" pip install --quiet --offline --no-deps --no-build-isolation -e . -e client
touch .venv/.ready-run
if [ "$what" = dev ]; then touch .venv/.ready-dev; fi
