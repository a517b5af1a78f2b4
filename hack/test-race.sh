#!/usr/bin/env bash
# Unit tests under the race detector, of the packages that need neither a cluster nor a
# database server. Needs cgo and a C compiler. Not in make ci, for the detector makes
# them several times slower. Arguments go to go test, or name packages:
# hack/test-race.sh ./pkg/agent/state
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
command -v "${CC:-gcc}" >/dev/null || die "the race detector needs a C compiler: apt-get install gcc libc6-dev"
packages=(./pkg/... ./cmd/... ./test/leak ./test/apidoc)
for argument in "$@"; do case $argument in ./*) packages=() ;; esac; done
export CGO_ENABLED=1
# Else each process that ends waits a second for reports of others.
export GORACE=${GORACE:-atexit_sleep_ms=0}
# Tests on real servers are hack/test-servers.sh's.
export UNIT_OPERATOR_SERVERS=none
say "running the tests under the race detector"
# The detector takes memory of its own, which a test of memory would count.
go test -race -timeout 40m -skip '^TestMemoryIsBounded' "${packages[@]}" "$@"
