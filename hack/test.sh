#!/usr/bin/env bash
# Unit tests, then the integration tests on a real API server. Needs Go only: the
# control plane's binaries and those of an S3 server are built once and cached (about 10
# minutes when cold).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
say "building a control plane and an S3 server, unless they are cached"
once go run ./test/bed build kube s3
export UNIT_OPERATOR_REQUIRE_CLUSTER=1
# hack/test-servers.sh has those that start databases.
export UNIT_OPERATOR_SERVERS=none
say "running the tests"
# The package that takes longest comes first: it waits for an operator most of the time,
# and the others, which compute, run in parallel. Nothing is printed before it has ended.
go test -timeout 25m ./test/integration ./... "$@"
(cd test/proxysql && GOWORK=off go test -timeout 5m ./... "$@")
# What makes images and the chart: its libraries are compiled once.
cd hack/tools/release
once env GOWORK=off go test -run '^$' ./... >/dev/null
GOWORK=off go test -timeout 10m ./... "$@"
