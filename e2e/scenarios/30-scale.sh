#!/usr/bin/env bash
# One member under write load becomes three, then five: writes never stall.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 1
start_ledger
for replicas in 3 5; do
  k patch mrc shop --type=merge -p "{\"spec\": {\"replicas\": $replicas}}" >/dev/null
  until_true 240 "$replicas members replicate" bash -c "$(declare -f k mrc field condition condition_is healthy); NAMESPACE=$NAMESPACE
    healthy && [ \"\$(field '.status.members | length')\" = $replicas ]"
done
finish_ledger
until_true 60 "all members hold the same data" same_data
gap="$(sed -E 's/.*longest gap ([0-9]+) ms/\1/' <<<"$VERDICT")"
[ "$gap" -lt 5000 ] || fail "scaling out stalled writes for $gap ms"
