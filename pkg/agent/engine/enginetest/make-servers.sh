#!/usr/bin/env bash
# Makes the root filesystems that the engines' tests run real servers in: it unpacks
# the database images of the test bed (test/bed makes those that are missing) into
# $UNIT_OPERATOR_SERVERS, else into "servers" below the project's cache. Needs root.
# Arguments are those of "bed images": "--also postgresql-15" adds that version, which
# the tests of PostgreSQL then run on too.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
[ "$(id -u)" = 0 ] || { echo "this needs root: run it with sudo" >&2; exit 1; }
cache=${UNIT_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/unit-operator}
servers=${UNIT_OPERATOR_SERVERS:-$cache/servers}

go run ./test/bed images "$@"
mkdir -p "$servers"
# Newest first: of two images of one version the newer one counts. Their paths are ours.
declare -A seen
# shellcheck disable=SC2045
for image in $(ls -dt "$cache"/images/*/image.tar); do
  about=$(dirname "$image")/image.json
  field() { sed -n 's/^ *"'"$1"'": "\([^"]*\)".*/\1/p' "$about"; }
  name=$(field type)-$(field version)
  [ -z "${seen[$name]:-}" ] || continue
  seen[$name]=1
  [ "$(cat "$servers/.$name.key" 2>/dev/null)" != "$(field key)" ] || continue
  echo "unpacking $name"
  making=$(mktemp -d "$servers/.making-XXXXXX")
  layer=$(tar xOf "$image" manifest.json | sed 's/.*"Layers":\["\([^"]*\)"\].*/\1/')
  tar xOf "$image" "$layer" | tar xpf - --numeric-owner -C "$making"
  chmod 0755 "$making"
  rm -rf "${servers:?}/$name"
  mv "$making" "$servers/$name"
  field key > "$servers/.$name.key"
done
ls "$servers"
