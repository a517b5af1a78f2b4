#!/usr/bin/env bash
# Checks gofmt, licence headers, go.mod and go.sum of every module, and that shell
# scripts parse.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
bad=0
complain() {
  printf '%s\n' "$@" >&2
  bad=1
}

mapfile -t sources < <(tracked '*.go')
unformatted=$(gofmt -s -l "${sources[@]}")
[ -z "$unformatted" ] || complain "not formatted:" "$unformatted" "run: gofmt -s -w <file>"

unlicensed=$(grep -L 'SPDX-License-Identifier: Apache-2.0' "${sources[@]}" || true)
[ -z "$unlicensed" ] || complain "without the two lines of hack/boilerplate.go.txt:" "$unlicensed"

while read -r mod; do
  dir=$(dirname "$mod")
  (cd "$dir" && GOWORK=off go mod tidy -diff) || complain "go.mod or go.sum of $dir is not tidy; run: cd $dir && go mod tidy"
done < <(tracked '*go.mod')

while read -r script; do
  bash -n "$script" || complain "$script does not parse"
done < <(tracked '*.sh')
exit $bad
