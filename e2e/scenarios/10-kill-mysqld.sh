#!/usr/bin/env bash
# The primary's mysqld gets SIGKILL under load, twice in a row: another member takes over each time, nothing acknowledged
# is lost, and the old primary comes back as a replica with the same data, whatever its log held that nobody acknowledged.
# Then once more while nobody writes: same volume, same uuid, never errant, never rebuilt.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

life() { sql "$1" 'SELECT @@server_uuid'; k get pvc "data-$1" -o jsonpath='{.metadata.uid}'; }

cluster_up 3
start_ledger
for round in 1 2; do
  old="$(primary)"
  kill_mysqld "$old"
  until_true 30 "round $round: another primary than $old" primary_is_not "$old"
  writes_go_on 30
  until_true 120 "$old follows as it is, and the cluster is whole again" healthy
done
finish_ledger
until_true 60 "all members hold the same data" same_data
[ "$(field '.status.lastFailover.from')" = "$old" ] || fail "status.lastFailover does not name $old"
gap="$(sed -E 's/.*longest gap ([0-9]+) ms/\1/' <<<"$VERDICT")"
# Ten times the median that is aimed at; the benchmark measures it properly.
[ "$gap" -lt 10000 ] || fail "clients could not write for $gap ms"

# Nothing of it is unknown to the others now.
old="$(primary)"
before="$(life "$old")"
set_before="$(sql "$old" 'SELECT @@gtid_executed')"
kill_mysqld "$old"
until_true 30 "another primary than $old" primary_is_not "$old"
until_true 120 "all members replicate and a failover is possible" healthy
[ "$(primary)" != "$old" ] || fail "$old is primary again"
[ "$(life "$old")" = "$before" ] || fail "$old was rebuilt: $before became $(life "$old")"
[ "$(sql "$(primary)" "SELECT GTID_SUBSET('$set_before', @@gtid_executed)")" = 1 ] || fail "the new primary lacks some of $set_before"
aside="$(k get events --field-selector reason=ErrantMember -o json | jq '.items | length')"
[ "$aside" = 0 ] || fail "a member was set aside on the way"
condition_is ErrantMembers False || fail "ErrantMembers is $(condition ErrantMembers status)"
# What is written now reaches it.
start_ledger after
finish_ledger after
until_true 60 "all members hold the same data" same_data
