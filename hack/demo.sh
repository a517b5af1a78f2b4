#!/usr/bin/env bash
# A real cluster on this machine with the operator and a set of each database. ProxySQL
# is among them where UNIT_OPERATOR_PROXYSQL names a real one: the stand-in of the tests
# (test/proxysql) is not shown.
#   hack/demo.sh        bring it up, or bring a running one up to date
#   hack/demo.sh down   tear it down and leave nothing behind
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_linux_root

log=$bed_dir/log/demo-operator.log

stop_operator() {
  local pid
  if pid=$(demo_operator); then
    kill "$pid"
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  fi
  rm -f "$demo_pidfile"
}

if [ "${1:-}" = down ]; then
  stop_operator
  [ -x bin/bed ] || make --no-print-directory build >/dev/null
  exec bin/bed down
fi

build_all
bin/bed up
export KUBECONFIG=$bed_dir/admin.kubeconfig
kubectl() { bin/bed kubectl "$@"; }

say "installing CRDs, RBAC and packages"
kubectl apply -f artifacts/crds >/dev/null
kubectl apply -f artifacts/rbac >/dev/null
kubectl apply -f artifacts/packages >/dev/null

say "starting the operator out of the cluster (log: $log)"
stop_operator
mkdir -p "$bed_dir/log"
setsid nohup bin/unit-operator --kubeconfig "$KUBECONFIG" --agent-image upmio/unit-agent:dev \
  --leader-elect=false --http-address 127.0.0.1:18090 >"$log" 2>&1 </dev/null &
echo $! >"$demo_pidfile"

declare -A set_of=([mysql]=orders [postgresql]=ledger [proxysql]=gate)
types=()
while read -r type version; do
  if [[ $version == *-stand-in ]]; then
    say "the demo goes without ProxySQL: UNIT_OPERATOR_PROXYSQL names no executable or image of a real one"
    continue
  fi
  types+=("$type")
  say "applying the $type set: ${set_of[$type]}, version $version"
  sed "s/VERSION\"/$version\"/" "hack/demo/$type.yaml" | kubectl apply -f - >/dev/null
done < <(bin/bed images -o json | tr -d '{}",' | awk -F: 'NF==2 {gsub(/ /,"",$1); gsub(/ /,"",$2); print $1, $2}')
[ "${#types[@]}" -gt 0 ] || die "no database image is at hand: see 'bin/bed images'"

# answers says whether a unit's server answers SQL to a client in its pod.
answers() {
  case $1 in
  mysql) kubectl exec "$2" -c mysql -- mysql -e 'SELECT 1' ;;
  postgresql) kubectl exec "$2" -c postgresql -- psql -c 'SELECT 1' ;;
  proxysql) kubectl exec "$2" -c proxysql -- mysql -h 127.0.0.1 -P 6032 -e 'SELECT 1' ;;
  esac >/dev/null 2>&1
}

deadline=$((SECONDS + 600))
said=$SECONDS
for type in "${types[@]}"; do
  set=${set_of[$type]}
  units=$(kubectl get unitset "$set" -o jsonpath='{.spec.units}')
  for ((i = 0; i < units; i++)); do
    until [ "$(kubectl get unit "$set-$i" -o jsonpath='{.status.phase}' 2>/dev/null)" = Ready ] && answers "$type" "$set-$i"; do
      demo_operator >/dev/null || { tail -n 20 "$log" >&2; die "the operator has ended: see the end of its log ($log) above"; }
      if [ $SECONDS -gt $deadline ]; then
        kubectl get unitsets,units,pods
        kubectl describe unit "$set-$i" | tail -n 40
        die "$set-$i does not answer SQL after ten minutes; the operator's log is $log"
      fi
      if [ $((SECONDS - said)) -ge 5 ]; then
        said=$SECONDS
        say "waiting for $set-$i: $(kubectl get unit "$set-$i" -o jsonpath='{.status.conditions[?(@.type=="Ready")].message}' 2>/dev/null || true)"
      fi
      sleep 0.5
    done
    say "$set-$i answers SQL"
  done
done

# replication of the MySQL set.
replication=orders-replication
source_of() { kubectl get mysqlreplication $replication -o jsonpath='{.status.currentSource}'; }

# replicates waits until the Replication is Ready, and no operation runs.
replicates() {
  local ready
  until ready=$(kubectl get mysqlreplication $replication \
    -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}/{.status.readyReplicas}/{.status.operation.type}') && [ "$ready" = True/2/ ]; do
    [ $SECONDS -lt $deadline ] || die "$replication does not replicate: $(kubectl describe mysqlreplication $replication | tail -n 40)"
    sleep 0.2
  done
}

# client runs a shell with the password of root as an application's pod would have it:
# in the environment, never in a command line.
client() {
  local password
  password=$(kubectl get secret orders-secret -o jsonpath='{.data.root}' | base64 -d)
  # shellcheck disable=SC2016 # the shell in the pod expands it
  kubectl exec -i orders-2 -c mysql -- sh -c 'read -r MYSQL_PWD; export MYSQL_PWD
    sql() { timeout 2 mysql --no-defaults --connect-timeout=1 -h "$host" -u root -N -B -e "$1" 2>/dev/null; }
    '"$1" <<<"$password"
}

# write_rows for some seconds, one after the other, and prints how many were acknowledged
# and the longest time between two of them in milliseconds.
write_rows() {
  # shellcheck disable=SC2016 # the shell in the pod expands it
  client 'host='$replication'-readwrite
    until sql "CREATE DATABASE IF NOT EXISTS demo; CREATE TABLE IF NOT EXISTS demo.written (id BIGINT AUTO_INCREMENT PRIMARY KEY)"; do sleep 0.2; done
    rows=0 gap=0 last=$(date +%s%3N)
    end=$((last + 15000))
    while [ "$last" -lt "$end" ]; do
      if sql "INSERT INTO demo.written VALUES ()"; then
        now=$(date +%s%3N) rows=$((rows + 1))
        [ $((now - last)) -le "$gap" ] || gap=$((now - last))
        last=$now
      elif [ "$(date +%s%3N)" -gt $((end + 60000)) ]; then
        exit 1
      fi
    done
    echo "$rows $gap"'
}

rows_on() { client "host=$1.orders-headless-svc"' sql "SELECT COUNT(*) FROM demo.written"'; }

# show_replication: rows through the Service for writes are on every member, also when
# another member becomes the source under the client that writes them.
show_replication() {
  replicates
  local from to written gap result unit before=0
  from=$(source_of)
  to=orders-1
  [ "$from" != orders-1 ] || to=orders-0
  # A demo that is brought up to date has rows already.
  before=$(rows_on "$from" 2>/dev/null || echo 0)
  say "$from is the source; a client writes through $replication-readwrite for 15 s, and $to becomes the source meanwhile"
  result=$(mktemp)
  write_rows >"$result" &
  local writer=$!
  sleep 5
  kubectl annotate mysqlreplication $replication --overwrite "unit-operator.io/switchover=$to" >/dev/null
  until [ "$(source_of)" = "$to" ]; do
    [ $SECONDS -lt $deadline ] || die "$to does not become the source: $(kubectl describe mysqlreplication $replication | tail -n 40)"
    sleep 0.2
  done
  wait $writer || die "the client's writes were not acknowledged again"
  read -r written gap <"$result"
  rm -f "$result"
  replicates
  say "$to is the source; the client had $written rows acknowledged, and waited for one of them $gap ms at most"
  for unit in orders-0 orders-1 orders-2; do
    until [ "$(rows_on $unit || echo 0)" -ge $((before + written)) ]; do
      [ $SECONDS -lt $deadline ] || die "$unit lacks rows: it has $(rows_on $unit), and $((before + written)) were acknowledged"
      sleep 0.5
    done
    say "$unit has $(rows_on $unit) rows"
  done
}

if [[ " ${types[*]} " == *" mysql "* ]]; then
  deadline=$((SECONDS + 300))
  show_replication
fi

echo
kubectl get unitsets,units,mysqlreplications,pods,pvc,svc
cat <<MSG

Look around:
  export KUBECONFIG=$KUBECONFIG
  bin/bed kubectl describe unitset orders
  bin/bed kubectl describe mysqlreplication orders-replication
  bin/bed kubectl annotate mr orders-replication --overwrite unit-operator.io/switchover=orders-2
  bin/bed kubectl exec -it orders-0 -- mysql -e "SELECT @@version"
  bin/bed kubectl exec -it ledger-0 -- psql -c "SELECT version()"
  bin/bed kubectl logs orders-0 -c agent
  bin/bed kubectl delete pod orders-1      # watch it come back
  less $log
Tear down, leaving nothing behind:
  make demo-down
MSG
