#!/usr/bin/env bash
# Clients write to a set of three on the test bed while faults strike it by a seed;
# afterwards every acknowledged row has to be on all members, once (test/checkwrites).
#   hack/check-writes.sh                                    100 rounds of everything, on MySQL
#   hack/check-writes.sh -engine=postgresql -rounds=100     the same on PostgreSQL
#   hack/check-writes.sh -rounds=200 -faults=switchover     the gap of planned switchovers
#   hack/check-writes.sh -seed=7 -rounds=10                 a plan once more
#   hack/check-writes.sh -mode=rpl_async -faults=switchover,forced-failover
# Other flags: -hold, how long a node is away or a server frozen at most. A node that is
# away for less than some 25 seconds comes back before anybody may replace its source.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
engine=mysql
flags=()
for flag in "$@"; do
  case $flag in
    -engine=* | --engine=*) engine=${flag#*=} ;;
    *) flags+=("$flag") ;;
  esac
done
case $engine in
  mysql) test=TestMysqlReplication ;;
  postgresql) test=TestPostgresReplication ;;
  *) die "-engine=$engine: there are mysql and postgresql" ;;
esac
say "a seed for the plan, unless you name one: ${seed:=$((RANDOM + 1))}"
exec hack/e2e.sh -timeout 8h \
  -run "^$test\$/(converges|acknowledged_rows_survive)" \
  -rounds=100 -seed="$seed" -hold=45s -repeat=true "${flags[@]}"
