#!/usr/bin/env bash
# Runs a suite and measures it against its budget:
#   hack/budget.sh SUITE SECONDS COMMAND...
# What lib.sh's once runs (builds and images that a machine makes once and keeps) does
# not count. Over its budget a suite fails if BUDGETS=enforce, as in make ci, and is
# told otherwise: on a busy machine a suite is slow and right all the same. It is left
# to finish in either case, for a result is worth more than the minutes. A budget of 0
# is none.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: hack/budget.sh SUITE SECONDS COMMAND..." >&2; exit 2; }
suite=$1 budget=$2
shift 2
case $budget in '' | *[!0-9]*) echo "the budget of $suite is a number of seconds, not '$budget'" >&2; exit 2 ;; esac

UNIT_OPERATOR_ONCE=$(mktemp)
export UNIT_OPERATOR_ONCE
trap 'rm -f "$UNIT_OPERATOR_ONCE"' EXIT
SECONDS=0
status=0
"$@" || status=$?
total=$SECONDS
once=$(awk '{s += $1} END {print s + 0}' "$UNIT_OPERATOR_ONCE")
took=$((total - once))

besides=
[ "$once" = 0 ] || besides=", and $once s for what is made once"
[ "$budget" = 0 ] || within=" of $budget s"
echo "$suite: $took s${within:-}$besides"
[ "$status" = 0 ] || exit "$status"
[ "$budget" != 0 ] && [ "$took" -gt "$budget" ] || exit 0
cat >&2 <<MSG
$suite took $took s, $((took - budget)) s more than its budget in the Makefile.
 - Did something else run on this machine, or is it a slow one? Set another budget for
   it: make $suite BUDGET_$(echo "$suite" | tr 'a-z-' 'A-Z_')=$((took + took / 4)), or 0 for none.
 - Find what became slow (go test prints the time of each package, with -v of each
   test), and make it quicker, run it beside others, or move it to where it belongs:
   test/README.md says which suite proves what.
 - Raise the budget last, and lower another by as much: their sum is what CI has.
MSG
[ "${BUDGETS:-}" = enforce ] || exit 0
exit 1
