#!/usr/bin/env bash
# pytest over as many processes as help: each worker has its own PostgreSQL and its own data directories.
set -euo pipefail
cd "$(dirname "$0")/.."

cores=$(nproc 2>/dev/null || echo 2)
# One more than there are cores: what waits for a real peer leaves its core to others.
workers=${WORKERS:-$((cores < 4 ? cores + 1 : 4))}
exec .venv/bin/pytest -q -n "$workers" --dist loadfile --no-loadscope-reorder "$@"
