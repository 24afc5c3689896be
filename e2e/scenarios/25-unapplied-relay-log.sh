#!/usr/bin/env bash
# The primary dies while both replicas have MEGABYTES (500) of relay logs that they have not applied: the new primary
# applies them all before it opens.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { operator_back; }
MEGABYTES="${MEGABYTES:-500}"

cluster_up 3
start_ledger
old="$(primary)"
sql "$old" "CREATE TABLE app.big (id INT PRIMARY KEY AUTO_INCREMENT, content LONGBLOB)"
operator_away
for replica in $(replicas); do sql "$replica" "STOP REPLICA SQL_THREAD"; done
say "writing $MEGABYTES MB (about half a minute)"
for ((i = 0; i < MEGABYTES / 10; i++)); do
  echo "INSERT INTO app.big (content) VALUES (REPEAT(RANDOM_BYTES(1000), 10000));"
done | k exec -i "$old" -c mysqld -- mysql --no-defaults --socket=/run/baton/mysql/mysqld.sock --user=root
executed="$(sql "$old" "SELECT @@gtid_executed")"
for replica in $(replicas); do until_true 60 "$replica has received it" received "$replica" "${executed//\\n/}"; done
kill_mysqld "$old"
operator_back
until_true 240 "another primary than $old" primary_is_not "$old"
writes_go_on 60
[ "$(sql "$(primary)" "SELECT COUNT(*) FROM app.big")" = $((MEGABYTES / 10)) ] || fail "rows are missing on $(primary)"
until_true 240 "the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
