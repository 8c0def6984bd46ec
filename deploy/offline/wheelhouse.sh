#!/usr/bin/env bash
# Fills deploy/wheelhouse with what the lock files name, checked by their hashes, for a build without a registry.
# To be run with the Python that the base image has (its version decides which wheels fit).
set -euo pipefail
cd "$(dirname "$0")/.."

python="${1:-../.venv/bin/python}"
for lock in requirements-build.lock ../requirements.lock; do
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest wheelhouse --requirement "$lock"
done
