#!/usr/bin/env bash
# pytest over as many processes as help: each worker has its own PostgreSQL and its own data directories.
set -euo pipefail
cd "$(dirname "$0")/.."

cores=$(nproc 2>/dev/null || echo 2)
workers=${WORKERS:-$((cores < 4 ? cores : 4))}
exec .venv/bin/pytest -q -n "$workers" --dist loadfile --no-loadscope-reorder "$@"
