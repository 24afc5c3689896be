#!/usr/bin/env bash
# A reader has locked a table of the replica that is preferred. When the primary dies it is chosen, gets nowhere for
# stallSeconds, and gives way to the other replica, though it has been applying with relaxed durability.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
old="$(primary)"
read -r preferred other <<<"$(replicas)"
k patch mrc shop --type=merge -p "{\"spec\": {\"candidates\": [{\"pod\": \"$preferred\", \"priority\": 60}]}}" >/dev/null

# reader: locks the ledger's table until it is killed.
reader() { sql "$preferred" "LOCK TABLES app.ledger READ; SELECT SLEEP(3600)"; }
readers() { sql "$preferred" "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE 'SELECT SLEEP%' AND PROCESSLIST_ID<>CONNECTION_ID()"; }
reads() { [ "$(readers)" = 1 ]; }
# backlog: transactions that it has received and not applied.
backlog() {
  # Each GTID set here has one interval for each server that was a primary.
  sql "$preferred" "SELECT GTID_SUBTRACT(RECEIVED_TRANSACTION_SET, @@gtid_executed) FROM performance_schema.replication_connection_status" |
    sed -nE 's/.*:([0-9]+)-([0-9]+)$/\1 \2/p' | awk '{ print $2 - $1 + 1 }'
}
# From a thousand on, durability is relaxed (engine/plan/failover.cc).
far_behind() { [ "$(backlog)" -gt 1500 ]; }
relaxed() { [[ "$(field .status.message)" == *"promoting $preferred"*"relaxed durability"* ]]; }
reader >/dev/null 2>&1 &
until_true 30 "$preferred has a reader that locks the table" reads
until_true 120 "$preferred is 1500 transactions behind" far_behind

kill_mysqld "$old"
until_true 30 "$preferred catches up with relaxed durability" relaxed
until_true 60 "$other is the primary" primary_is_not "$old"
[ "$(primary)" = "$other" ] || fail "$(primary) is the primary, although a reader holds it up"
writes_go_on 60
sql "$preferred" "SELECT CONCAT('KILL ', PROCESSLIST_ID) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE 'SELECT SLEEP%' AND PROCESSLIST_ID<>CONNECTION_ID()" |
  while read -r kill; do sql "$preferred" "$kill"; done
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
