#!/usr/bin/env bash
# The flows on real nodes with real databases: brings the test bed up, runs
# test/e2e, tears it down. KEEP=1 leaves it up. Arguments go to go test, for
# example: hack/e2e.sh -run TestPostgreSQL; -moments strikes in all moments, not in half of them.
# With KUBECONFIG set it runs on that cluster instead; UNIT_OPERATOR_VERSIONS (JSON
# of type to version) and UNIT_OPERATOR_AGENT_IMAGE then say what is there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh

# Tests that ran beside each other print in turns, thousands of lines: what those that
# failed had to say comes once more at the end.
log=$(mktemp)
failures() {
  failed_tests "$log"
  rm -f "$log"
}
trap failures EXIT

export UNIT_OPERATOR_E2E=1
if [ -z "${KUBECONFIG:-}" ]; then
  need_linux_root
  ! demo_operator >/dev/null || die "the demo runs on this machine, and its operator would take part: make demo-down first"
  build_all
  # What a killed run or a demo that has ended left behind would take part too.
  if [ -e "$demo_pidfile" ] || { [ -z "${KEEP:-}" ] && [ -e "$bed_dir" ]; }; then
    say "a cluster was left here: tearing it down"
    bin/bed down
  fi
  say "building what the bed is made of, unless it is cached"
  once bin/bed build kube containerd coredns csi s3
  once bin/bed images
  [ -n "${KEEP:-}" ] || trap 'bin/bed down; failures' EXIT
  bin/bed up
  export KUBECONFIG=$bed_dir/admin.kubeconfig
  export KUBECTL=$bed_dir/kubectl
  export UNIT_OPERATOR_BED=$PWD/bin/bed
  UNIT_OPERATOR_VERSIONS=$(bin/bed images -o json)
  export UNIT_OPERATOR_VERSIONS
else
  need_go
  build_all
fi
say "running test/e2e"
# What runs beside something else waits for kubelets most of the time. The limit is well
# beyond the budget in the Makefile: a slow machine is warned by that one, where this one ends
# the test that happens to run, with the stacks of all goroutines in place of a result.
go test ./test/e2e -count=1 -timeout 75m -parallel 8 -v "$@" 2>&1 | tee "$log"
