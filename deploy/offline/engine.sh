#!/usr/bin/env bash
# engine.sh COMMAND...: runs the command with a Docker engine. Where none answers, root gets one of its own: from
# Debian's package, with everything it makes in a directory that is removed, and it ends with the command.
# Who is not root, or has no such package, runs the command without: container tests then say why they are skipped.
set -euo pipefail

if docker info >/dev/null 2>&1; then
    exec "$@"
fi
if [ "$(id -u)" != 0 ]; then
    echo "No Docker engine answers, and only root can start one." >&2
    exec "$@"
fi
if ! command -v dockerd >/dev/null; then
    apt-get install -qq -y --no-install-recommends docker.io >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends docker.io >/dev/null; } ||
        { echo "No Docker engine, and no package docker.io to get one from." >&2; exec "$@"; }
fi

root="${CASETRAIL_DOCKER_ROOT:-$(mktemp -d "${TMPDIR:-/tmp}/casetrail-docker.XXXXXX")}"
mkdir -p "$root"
# No rules of its own in the machine's firewall: containers reach one another, and ports are published by a proxy.
dockerd --storage-driver=overlay2 --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --ip 127.0.0.1 --data-root "$root/data" --exec-root "$root/exec" --pidfile "$root/pid" \
    --host "unix://$root/docker.sock" >"$root/log" 2>&1 &
engine=$!

end() {
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    if [ -z "${CASETRAIL_DOCKER_ROOT:-}" ]; then
        rm -rf "$root"
    fi
}
trap end EXIT
trap 'exit 130' INT TERM

export DOCKER_HOST="unix://$root/docker.sock"
for _ in $(seq 300); do
    docker info >/dev/null 2>&1 && break
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.1
done
docker info >/dev/null 2>&1 || { echo "dockerd did not start:" >&2; tail -n 5 "$root/log" >&2; unset DOCKER_HOST; }
"$@"
