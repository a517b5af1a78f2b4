#!/usr/bin/env bash
# Checks that hack/update-proto.sh would change nothing. It runs in a copy, so the
# work tree stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
copy_tree
(cd "$copy" && find proto -name '*.pb.go' -delete && hack/update-proto.sh) >"$copy.log" 2>&1 || {
  cat "$copy.log" >&2
  die "hack/update-proto.sh fails: see above"
}
same_as_copy hack/update-proto.sh 'proto/*.pb.go'
