#!/usr/bin/env bash
# Resolves requirements/*.lock. The files name versions and hashes but no address: docs/decisions/0001.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$(command -v uv || echo .venv/bin/uv)
common=(--python-version 3.11 --no-emit-index-url --no-emit-find-links --generate-hashes --no-header --quiet
    --no-emit-package watchkeeper-client)

"$uv" pip compile pyproject.toml client/pyproject.toml --group dev --all-extras "${common[@]}" "$@" \
    -o requirements/dev.lock
# Within the other's versions, so that an environment can grow from one to the other.
"$uv" pip compile pyproject.toml client/pyproject.toml --group demo --group build -c requirements/dev.lock \
    "${common[@]}" --no-annotate -o requirements/run.lock
# For one measurement, and never in one environment with the rest.
"$uv" pip compile bench/rivals.in "${common[@]}" --no-annotate -o requirements/rivals.lock
