#!/usr/bin/env bash
# On somebody's own cluster the demo must be told where the images are: without IMAGES it says so and touches nothing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

status=0
answer="$(env -u IMAGES KUBECONFIG=/nowhere/kubeconfig bash "$REPO/e2e/demo.sh" 2>&1)" || status=$?
[ "$status" = 1 ] || fail "demo.sh without IMAGES ends with status $status: $answer"
[[ "$answer" == "error: KUBECONFIG is set, so IMAGES=<prefix> must say "* ]] || fail "demo.sh without IMAGES says: $answer"
[ "$(wc -l <<<"$answer")" = 1 ] || fail "that is more than a sentence: $answer"
say "demo.sh says: $answer"
