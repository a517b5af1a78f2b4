#!/usr/bin/env bash
# Runs shellcheck on every script.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
once install_missing shellcheck shellcheck
mapfile -t scripts < <(tracked '*.sh' .ci/run)
shellcheck -x "${scripts[@]}" || die "shellcheck has findings: see above"
