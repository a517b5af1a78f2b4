#!/usr/bin/env bash
# Checks that links in *.md lead somewhere, that examples in docs/ are objects of the
# API, and that docs/api.md names every field. make test runs the same tests.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
go test ./test/docs || die "the documentation and the tree disagree: see above"
