#!/usr/bin/env bash
# Benchmarks. They print figures and are no part of the tests: timings on a noisy
# machine mean something only as ratios measured side by side in one run. Those on a
# real API server run once each. Arguments go to go test, for example:
# hack/bench.sh -bench Memory
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
say "building a control plane, unless it is cached"
go run ./test/bed build kube
export UNIT_OPERATOR_REQUIRE_CLUSTER=1
say "benchmarks on a real API server"
go test -run '^$' -bench . -benchtime 1x -timeout 60m "$@" ./test/integration
mapfile -t packages < <(tracked '*_test.go' | grep -v '^test/integration/' | xargs grep -l '^func Benchmark' | xargs -r -n 1 dirname | sort -u | sed 's#^#./#')
[ ${#packages[@]} = 0 ] || {
  say "benchmarks of ${packages[*]}"
  go test -run '^$' -bench . -timeout 30m "$@" "${packages[@]}"
}
