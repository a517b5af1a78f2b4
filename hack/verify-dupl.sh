#!/usr/bin/env bash
# Checks that no two packages of pkg/controller hold the same code: 60 tokens of the
# syntax tree, names aside. What two controllers need is a package of its own. The tool
# is the one that golangci-lint's dupl is made from, which looks at one package at a
# time; its version is pinned by hack/tools/lint/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
mkdir -p bin
top=$PWD
(cd hack/tools/lint && go build -o "$top/bin/dupl" github.com/golangci/dupl)
found=$(find pkg/controller -name '*.go' ! -name '*_test.go' ! -name 'zz_generated*' ! -path '*/controllertest/*' | sort |
  bin/dupl -files -t 60 -plumbing | sort)
# file:from-to: duplicate of file:from-to
across=$(awk -F'[: ]+' 'function dir(f) { sub("/[^/]*$", "", f); return f } $0 != "" && dir($1) != dir($5)' <<<"$found")
if [ -n "$across" ]; then
  echo "$across" >&2
  die "two packages hold the same code"
fi
say "no code of pkg/controller is in two packages"
