#!/usr/bin/env bash
# Everything that is checked without running the product. All of it runs, so that one look shows all there is to mend.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

failed=()
step() {
    local name=$1 started=$SECONDS output
    shift
    if output=$("$@" 2>&1); then
        printf '  ok      %-18s %3d s\n' "$name" $((SECONDS - started))
    else
        printf '  FAILED  %-18s %3d s\n%s\n\n' "$name" $((SECONDS - started)) "$output"
        failed+=("$name")
    fi
}

step "format" ruff format --check .
step "lint" ruff check .
step "types" mypy
step "import contracts" env PYTHONPATH=. lint-imports
step "Duet's page" watchkeeper config docs --ops examples/duet/ops --check examples/duet/docs/configuration.md
step "security lint" bandit --quiet --configfile pyproject.toml --recursive --severity-level medium --confidence-level medium src client/src

if [ ${#failed[@]} -gt 0 ]; then
    printf 'Failed: %s\n' "$(IFS=,; echo "${failed[*]}")"
    exit 1
fi
