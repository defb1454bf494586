#!/usr/bin/env bash
# Every measurement of docs/benchmarks.md, one after the other: they would disturb each other.
set -euo pipefail
cd "$(dirname "$0")/.."
for program in otlp_intake freshness telemetry_query startup_memory work_kills restore_drill subjects config_propagation ofrep slo_detection suspects recovery recovery_duet slo_engine page_kills page_crashes storm slo_page blameless postmortem_draft status_page; do
    printf '\n== %s\n' "$program"
    .venv/bin/python -m "bench.$program"
done
