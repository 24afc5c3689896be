#!/usr/bin/env bash
# The only readable copy of acknowledged rows lies in the relay log of a replica whose mysqld cannot start any more: the
# other replica had stopped receiving, and the dead primary's binlogs cannot be read. The rows are fetched from there.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { operator_back; }
in_data() { in_member "$1" 'cd /var/lib/mysql/data && eval "$1"' "$2"; }
fetched() { kubectl --namespace baton-system logs -l app.kubernetes.io/name=baton --tail=-1 | grep "let $lagging fetch from the logs of $acker" >/dev/null; }
is_primary() { [ "$(primary)" = "$1" ]; }

cluster_up 3
start_ledger
old="$(primary)"
read -r acker lagging <<<"$(replicas)"
operator_away
sql "$lagging" "STOP REPLICA IO_THREAD"
writes_go_on
# Not taken away: a mysqld that starts just then would make a new one, and delete it by its name.
in_data "$acker" 'chmod 000 ibdata1'
kill_mysqld "$acker"
kill_mysqld "$old"
in_data "$old" 'chmod 000 binlog.0*'
operator_back
until_true 120 "$lagging is the primary" is_primary "$lagging"
fetched || fail "nothing was fetched from $acker"
in_data "$acker" 'chmod 640 ibdata1'
in_data "$old" 'chmod 600 binlog.0*'
writes_go_on 120
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
