#!/usr/bin/env bash
# The only member that may be promoted lacks what the other replica acknowledged: it fetches that first.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { operator_back; }

cluster_up 3
start_ledger
old="$(primary)"
read -r ahead lagging <<<"$(replicas)"
k patch mrc shop --type=merge -p "{\"spec\": {\"candidates\": [{\"pod\": \"$ahead\", \"neverPromote\": true}]}}" >/dev/null
operator_away
sql "$lagging" "STOP REPLICA IO_THREAD"
writes_go_on
kill_mysqld "$old"
operator_back
until_true 120 "another primary than $old" primary_is_not "$old"
[ "$(primary)" = "$lagging" ] || fail "$(primary) is the primary, although only $lagging may be"
writes_go_on 60
until_true 180 "the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
