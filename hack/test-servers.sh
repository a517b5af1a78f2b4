#!/usr/bin/env bash
# Tests of the engines and the agent on real servers, in boxes that resemble a
# database container. Arguments go to go test, for example:
# hack/test-servers.sh -run TestClone
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_linux_root
# The file system of a volume that hangs, and what loses packets.
once install_missing bindfs bindfs
once install_missing iptables iptables
say "making the servers' root filesystems, unless they are cached"
once pkg/agent/engine/enginetest/make-servers.sh --also postgresql-15
# All of them must be there. ProxySQL is the stand-in of test/proxysql, unless
# UNIT_OPERATOR_PROXYSQL names a real one.
UNIT_OPERATOR_REQUIRE_SERVERS=$(go run ./test/bed images -o json | grep -o '"[a-z]*" *:' | tr -d '": ' | paste -sd, -)
export UNIT_OPERATOR_REQUIRE_SERVERS
say "running the tests on $UNIT_OPERATOR_REQUIRE_SERVERS"
mapfile -t packages < <(tracked '*_test.go' | xargs grep -l 'enginetest\.' | xargs -n 1 dirname | sort -u | sed 's#^#./#')
go test -timeout 40m -count 1 "${packages[@]}" "$@"
# The stand-in in front of real servers; make test has the rest of its suite.
(cd test/proxysql && GOWORK=off go test -timeout 10m -count 1 -run TestInFrontOfMySQL ./... "$@")
