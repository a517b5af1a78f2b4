#!/usr/bin/env bash
# Checks that what is generated is up to date, and formatting, scripts, words, links,
# duplicates and lint.
# Runs every check even if one fails, and names those that did.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_go
# Modules, and the packages of others that linters read in compiled form.
fetch() {
  go mod download
  go list -export -deps -test ./... >/dev/null
}
say "fetching and compiling what we depend on, unless it is cached"
once fetch
failed=()
for check in format shell words codegen crds proto docs dupl lint; do
  say "verify-$check"
  hack/verify-$check.sh || failed+=("hack/verify-$check.sh")
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
say "all is well"
