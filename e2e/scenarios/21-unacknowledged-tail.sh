#!/usr/bin/env bash
# The primary dies with a row that no replica has. salvage.tail: Apply takes it from the dead primary's log, so that the
# old primary follows without being rebuilt; Discard drops it, and the old primary is set aside with it.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { operator_back; }

# Behind another commit that waits for its ack; written and synced by then.
waits_for_acks() {
  [ "$(sql "$1" "SELECT COUNT(*) FROM performance_schema.processlist WHERE INFO LIKE 'INSERT INTO app.tail%' AND TIME >= 2
    AND STATE IN ('Waiting for semi-sync ACK from replica', 'waiting for handler commit')")" = 1 ]
}
rows() { sql "$1" "SELECT COUNT(*) FROM app.tail WHERE id = $2"; }

# die_with_a_tail ROW: the primary, OLD with UUID, ends while that row waits for an ack that cannot come.
die_with_a_tail() {
  local replica
  OLD="$(primary)"
  UUID="$(sql "$OLD" "SELECT @@server_uuid")"
  [ -n "$UUID" ] || fail "$OLD does not tell its server_uuid"
  operator_away
  for replica in $(replicas); do sql "$replica" "STOP REPLICA IO_THREAD"; done
  sql "$OLD" "INSERT INTO app.tail VALUES ($1)" >/dev/null 2>&1 &
  until_true 30 "row $1 waits for an ack" waits_for_acks "$OLD"
  kill_mysqld "$OLD"
  operator_back
  until_true 120 "another primary than $OLD" primary_is_not "$OLD"
  writes_go_on 60
}

cluster_up 3
start_ledger
sql "$(primary)" "CREATE TABLE app.tail (id INT PRIMARY KEY)"
die_with_a_tail 1
[ "$(rows "$(primary)" 1)" = 1 ] || fail "the row that only the dead primary had is not on the new one"
claim="$(k get pvc "data-$OLD" -o jsonpath='{.metadata.uid}')"
until_true 120 "$OLD follows as it is" healthy
[ "$(k get pvc "data-$OLD" -o jsonpath='{.metadata.uid}')" = "$claim" ] || fail "$OLD has another volume"
[ "$(rows "$OLD" 1)" = 1 ] || fail "$OLD lost its row"

k patch mrc shop --type=merge -p '{"spec": {"failover": {"salvage": {"tail": "Discard"}}}}' >/dev/null
die_with_a_tail 2
[ "$(rows "$(primary)" 2)" = 0 ] || fail "the row that was to be dropped is on the new primary"
names_the_tail() { [ "$(errant_member)" = "$OLD" ] && condition ErrantMembers message | grep -q "$UUID"; }
until_true 60 "$OLD is set aside, and the condition names its set" names_the_tail
rebuild "$OLD"
until_true 240 "$OLD is rebuilt and the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
