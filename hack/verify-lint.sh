#!/usr/bin/env bash
# Runs golangci-lint as .golangci.yml says, with the linters of Kubernetes built in.
# Its version is pinned by hack/tools/lint/go.mod; it is kept in the cache of the
# test bed ($UNIT_OPERATOR_CACHE), so that a machine that has the cache but not
# Go's, as in CI, need not compile it. Arguments replace ./... , for example:
# hack/verify-lint.sh ./pkg/apis/...
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
key=$(cd hack/tools/lint && { cat go.mod go.sum main.go; go env GOVERSION GOOS GOARCH; } | git hash-object --stdin | cut -c1-16)
tool=$(cache_dir)/bin/golangci-lint-$key/golangci-lint
build() { (cd hack/tools/lint && go build -o "$tool.$$" .); }
if [ ! -x "$tool" ]; then
  say "building golangci-lint (a few minutes, once)"
  mkdir -p "$(dirname "$tool")"
  once build
  mv "$tool.$$" "$tool"
fi
mkdir -p bin
ln -sf "$tool" bin/golangci-lint
[ $# -gt 0 ] || set -- ./...
say "linting $*"
"$tool" run --allow-parallel-runners "$@" || die "golangci-lint has findings: see above; bin/golangci-lint run --fix repairs some"
