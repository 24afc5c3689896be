#!/usr/bin/env bash
# Applies every manifest of tests/golden/manifests to the API server that KUBECONFIG names, where the CRD must be
# installed: the good ones must be taken, the bad ones refused with the sentence of their first line. A file with two
# documents is an object and a change of it. Everything is removed again. Takes about a second for each three files.
# Usage: check_manifests.sh [NAMESPACE], one that no operator watches if pods shall not be made.
source "$(dirname "${BASH_SOURCE[0]}")/../env/common.sh"

namespace="${1:-default}"
manifests="$REPO/tests/golden/manifests"
failures=0

apply() { "${KUBECTL:-kubectl}" apply --namespace "$namespace" --validate=strict --filename "$1" 2>&1; }
forget() {
  "${KUBECTL:-kubectl}" delete --namespace "$namespace" --ignore-not-found --filename "$1" >/dev/null 2>&1 || true
}
fail() { printf 'FAILED %s: %s\n' "$1" "$2" >&2; failures=$((failures + 1)); }

for file in "$manifests"/good/*.yaml; do
  answer="$(apply "$file")" || fail "${file#"$REPO/"}" "refused: $answer"
  forget "$file"
done
for file in "$manifests"/bad/*.yaml; do
  sentence="$(sed -n '1s/^# expect: //p' "$file")"
  [ -n "$sentence" ] || die "$file does not begin with '# expect: SENTENCE'"
  if answer="$(apply "$file")"; then
    fail "${file#"$REPO/"}" "taken, but it should have been refused with: $sentence"
  elif ! grep -qF -- "$sentence" <<<"$answer"; then
    fail "${file#"$REPO/"}" "refused, but without the sentence '$sentence': $answer"
  fi
  forget "$file"
done
[ "$failures" = 0 ] || die "$failures manifests were not answered as expected"
say "$(find "$manifests" -name '*.yaml' | wc -l) manifests were answered as expected"
