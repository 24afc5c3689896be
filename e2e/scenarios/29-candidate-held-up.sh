#!/usr/bin/env bash
# A reader has locked a table of the replica that is preferred. When the primary dies it is chosen, gets nowhere for
# stallSeconds, and gives way to the other replica, though it has been applying with relaxed durability.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relaxed() { [[ "$(field .status.message)" == *"promoting $preferred"*"relaxed durability"* ]]; }

cluster_up 3
start_ledger
old="$(primary)"
read -r preferred other <<<"$(replicas)"
k patch mrc shop --type=merge -p "{\"spec\": {\"candidates\": [{\"pod\": \"$preferred\", \"priority\": 60}]}}" >/dev/null
# From a thousand on, durability is relaxed (engine/plan/failover.cc).
hold_up "$preferred" 1500
kill_mysqld "$old"
until_true 30 "$preferred catches up with relaxed durability" relaxed
until_true 60 "another primary than $old" primary_is_not "$old"
[ "$(primary)" = "$other" ] || fail "$(primary) is the primary, although a reader holds it up"
writes_go_on 60
let_go "$preferred"
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
