#!/usr/bin/env bash
# Brings what the tests use beside Python: PostgreSQL's server programs, Chromium, Node.js, Prometheus (with promtool)
# and Alertmanager from Debian, and the real OFREP clients of npm. Mirrors of npm are taken from its own configuration.
# Quiet when they are there. Without them the tests that need them are skipped, or fail where CI=true.
set -euo pipefail

wanted=()
postgres=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb || true)
[ -n "$postgres" ] || wanted+=(postgresql)
[ -x /usr/bin/chromium ] || wanted+=(chromium)
command -v npm >/dev/null || wanted+=(nodejs npm)
command -v promtool >/dev/null || wanted+=(prometheus)
command -v prometheus-alertmanager >/dev/null || wanted+=(prometheus-alertmanager)

clients=$(cd "$(dirname "$0")/../tests/contract/ofrep/node" && pwd)

install_clients() {
    if [ "$clients/node_modules/.package-lock.json" -nt "$clients/package-lock.json" ]; then return; fi
    command -v npm >/dev/null || return 0
    echo "Installing for the tests: OFREP clients …" >&2
    (cd "$clients" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null) ||
        echo "Missing for the tests: npm could not install what $clients/package-lock.json names" >&2
    touch -c "$clients/node_modules/.package-lock.json"
}

if [ ${#wanted[@]} -eq 0 ]; then
    install_clients
    exit 0
fi

root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if ! command -v apt-get >/dev/null || ! root true 2>/dev/null; then
    echo "Missing for the tests, and not installed because that needs Debian and root: ${wanted[*]}" >&2
    exit 0
fi

echo "Installing for the tests: ${wanted[*]} …" >&2
# The tests start servers of their own; Debian would also make and start a cluster.
if [[ " ${wanted[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
# Nor does a Prometheus or an Alertmanager of the machine's own begin to run.
policy=/usr/sbin/policy-rc.d
if [[ " ${wanted[*]} " == *" prometheus"* ]] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | root tee "$policy" >/dev/null
    root chmod 755 "$policy"
    trap 'root rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { root apt-get update && root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "Missing for the tests, and apt-get could not install them: ${wanted[*]}" >&2
fi
rm -f "$log"
install_clients
