# shellcheck shell=bash
# Shared by the scripts in hack/; source it from the repository's root.

# say prints a step with the seconds since the script began.
say() { printf '%4ss  %s\n' "$SECONDS" "$*"; }

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

need_linux_root() {
  [ "$(uname -s)" = Linux ] || die "this needs Linux: the cluster lives in network namespaces of this machine"
  [ "$(id -u)" = 0 ] || die "this needs root, for network namespaces, mounts and cgroups: run it with sudo"
  need_go
}

need_go() {
  command -v go >/dev/null || die "this needs Go 1.26 or newer: see https://go.dev/doc/install"
}

# cache_dir prints the directory of what is built once: on Linux that of the test bed.
cache_dir() {
  local dir=${UNIT_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/unit-operator}
  case $dir in /*) echo "$dir" ;; *) echo "$PWD/$dir" ;; esac
}

# once runs what a machine makes once and keeps in a cache. Its time is none of the
# suite's that runs it: hack/budget.sh reads it from the file it names.
once() {
  local begun=$SECONDS
  "$@"
  [ -z "${UNIT_OPERATOR_ONCE:-}" ] || echo $((SECONDS - begun)) >>"$UNIT_OPERATOR_ONCE"
}

# build_all compiles our own commands.
build_all() {
  say "building unit-operator, unit-agent and bed"
  once make --no-print-directory build >/dev/null
}

# bed_dir is where the test bed keeps its state, and demo_pidfile where hack/demo.sh
# says which process is the demo's operator.
bed_dir=/var/lib/unit-operator-bed
demo_pidfile=$bed_dir/demo-operator.pid

# demo_operator prints the process id of the demo's operator, of whatever checkout,
# and fails if none runs: a machine that was switched off leaves the file behind, and
# the number may be another process by now.
demo_operator() {
  local pid exe
  pid=$(cat "$demo_pidfile" 2>/dev/null) || return 1
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
  [ "$(basename "${exe% (deleted)}")" = unit-operator ] && echo "$pid"
}

# failed_tests prints what the tests that failed had to say, of the output of go test -v.
failed_tests() {
  awk '
    /^=== (RUN|CONT|NAME|PAUSE) / { test = $3; next }
    /^ *--- FAIL: / { failed[++n] = $3; next }
    /^ *--- / || /^=== / { test = ""; next }
    /^    +[^ ]/ { if (test != "") said[test] = said[test] $0 "\n"; next }
    /^panic: / { panicked = panicked $0 "\n" }
    # Of a run that took too long: which tests were running, for how long, and what they had said.
    /^\t\tTest/ && panicked { panicked = panicked $0 "\n"; failed[++n] = $1 }
    END {
      if (panicked) print "\n" panicked
      for (i = 1; i <= n; i++) if (failed[i] in said) printf "\n%s\n%s", failed[i], said[failed[i]]
    }' "$1"
}

# tracked prints the files that match the patterns and are in git, or new and not
# ignored.
tracked() {
  git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
  done
}

# copy_tree copies those files to a temporary directory, $copy, that goes with the
# script.
copy_tree() {
  local dir
  dir=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$dir'" EXIT
  copy=$dir/tree
  mkdir "$copy"
  tracked | tar -cf - -T - | tar -xf - -C "$copy"
}

# same_as_copy SCRIPT PATTERN... fails, and shows how, if files that match differ
# between here and $copy, where SCRIPT has run.
same_as_copy() {
  local script=$1 differs=0
  shift
  while read -r file; do
    diff -u --label "$file" --label "$file (generated)" "$(there "$file")" "$(there "$copy/$file")" || differs=1
  done < <({ tracked "$@"; (cd "$copy" && matching "$@"); } | sort -u)
  [ $differs = 0 ] || die "generated files are not up to date; run: $script"
}

# install_missing COMMAND PACKAGE gets Debian's package of a command that is missing:
# as root where apt is available, else it says what to install.
install_missing() {
  if command -v "$1" >/dev/null; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "$1 is missing: install Debian's package $2, or $1 of your system"
  fi
  say "installing $2"
  { apt-get update -qq && apt-get install -y -qq "$2"; } >/dev/null
}

there() { if [ -e "$1" ]; then echo "$1"; else echo /dev/null; fi; }

# matching prints the files below here that match patterns of git.
matching() {
  local pattern
  for pattern in "$@"; do find . -path "./$pattern" -type f; done | sed 's#^\./##'
}
