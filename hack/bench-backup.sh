#!/usr/bin/env bash
# Compares the agent's backups of MySQL and PostgreSQL with the engines' own tools,
# piped through zstd and a client of S3 into the same server: see test/bench/backup.
# Takes some ten minutes, and 8 GiB of disk below $TMPDIR. Arguments go to it, for
# example, to try it out: hack/bench-backup.sh -size 200Mi -rounds 1
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
need_linux_root
command -v zstd >/dev/null || die "this needs zstd, to compare with: apt-get install zstd"
build_all
say "making the servers, unless they are there"
pkg/agent/engine/enginetest/make-servers.sh >/dev/null
go build -o bin/bench-backup ./test/bench/backup
bin/bench-backup "$@"
