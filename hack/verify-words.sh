#!/usr/bin/env bash
# Checks that the words of hack/words.txt become no more.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh

# Generated files take their words from elsewhere, and test data is what it must be.
where=('*.go' '*.sh' '*.md' '*.proto' '*.yaml' Makefile
  ':!pkg/generated' ':!*.pb.go' ':!artifacts/crds' ':!*/testdata/*'
  ':!hack/words.txt' ':!CONTRIBUTING.md')
find_word() {
  local status=0
  git grep --untracked -iwE "$@" -- "${where[@]}" || status=$?
  [ "$status" -le 1 ] || die "hack/words.txt: git grep fails, see above"
}

bad=0 entries=0
while IFS=$'\t' read -r max word instead; do
  case $max in '' | *[!0-9]*) die "hack/words.txt: '$max' is no number, before '$word'" ;; esac
  if [ -z "$word" ] || [ -z "$instead" ]; then die "hack/words.txt: want MAXIMUM | WORD | INSTEAD, have '$max | $word | $instead'"; fi
  entries=$((entries + 1))
  count=$(find_word -oh -e "$word" | wc -l)
  if [ "$count" -gt "$max" ]; then
    bad=1
    printf '%s times "%s", at most %s are allowed. Write instead: %s\n' "$count" "$word" "$max" "$instead" >&2
    # Where it stands in what is not committed or not on main yet; else where it stands.
    new=$({ git diff -U0 "$(git merge-base HEAD main 2>/dev/null || echo HEAD)" -- "${where[@]}" 2>/dev/null || true; } | grep -E '^\+' | grep -iwE -e "$word" | head -n 20 || true)
    if [ -n "$new" ]; then printf '%s\n' "$new" >&2; else stands=$(find_word -n -e "$word") && head -n 20 <<<"$stands" >&2; fi
  elif [ "$max" -gt $((count + 40)) ]; then
    say "\"$word\" stands $count times: its maximum in hack/words.txt can fall from $max"
  fi
done < <(grep -v '^#' hack/words.txt | sed 's/ | /\t/; s/ | /\t/')
[ "$entries" -gt 0 ] || die "hack/words.txt has no entries"
exit $bad
