#!/usr/bin/env bash
# Measures the operator beside the StatefulSet controller, at rest with many units, and
# beside agents that are gone: see test/bench/scale. With its defaults it takes some 15
# minutes on two cores. Arguments go to it, for example: hack/bench-scale.sh -sets 1000 -phases default,rest
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_linux_root
command -v ip >/dev/null || die "this needs ip: apt-get install iproute2"
say "building a control plane, unless it is cached"
once go run ./test/bed build kube
CGO_ENABLED=0 go build -trimpath -o bin/unit-operator ./cmd/unit-operator
go build -o bin/bench-scale ./test/bench/scale
bin/bench-scale "$@"
