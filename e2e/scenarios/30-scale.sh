#!/usr/bin/env bash
# One member under write load becomes three, then five: writes never stall.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# scale_to REPLICAS MILLISECONDS: nobody waits longer for a write meanwhile.
scale_to() {
  local gap
  k patch mrc shop --type=merge -p "{\"spec\": {\"replicas\": $1}}" >/dev/null
  until_true 240 "$1 members replicate" all_replicate "$1"
  writes_go_on  # A gap is told when it is over.
  gap="$(longest_gap)"
  say "the longest gap so far: ${gap:-below 50} ms"
  [ "${gap:-0}" -lt "$2" ] || fail "scaling out to $1 stalled writes for $gap ms"
}
# By one look: of two, the first may be from before the operator heard of it.
all_replicate() { [ "$(field '.status | .state + (.conditions[]? | select(.type == "FailoverReady") | .status) + (.members | length | tostring)')" = "HealthyTrue$1" ]; }

cluster_up 1
start_ledger
scale_to 3 3000
scale_to 5 5000
finish_ledger
until_true 60 "all members hold the same data" same_data
