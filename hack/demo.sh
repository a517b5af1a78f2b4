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

echo
kubectl get unitsets,units,pods,pvc,svc
cat <<MSG

Look around:
  export KUBECONFIG=$KUBECONFIG
  bin/bed kubectl describe unitset orders
  bin/bed kubectl exec -it orders-0 -- mysql -e "SELECT @@version"
  bin/bed kubectl exec -it ledger-0 -- psql -c "SELECT version()"
  bin/bed kubectl logs orders-0 -c agent
  bin/bed kubectl delete pod orders-1      # watch it come back
  less $log
Tear down, leaving nothing behind:
  make demo-down
MSG
