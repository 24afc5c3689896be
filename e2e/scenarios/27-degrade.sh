#!/usr/bin/env bash
# With belowMinimum: Degrade, commits go on when no replica acknowledges any more, and wait for acks again when one does.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

acks_are() { [ "$(field .status.effectiveAcks)" = "$1" ]; }

cluster_up 3 "  replication: {semiSync: {belowMinimum: Degrade}}"
start_ledger
read -r one two <<<"$(replicas)"
signal_mysqld "$one" -STOP
signal_mysqld "$two" -STOP
until_true 60 "commits wait for nobody" acks_are 0
writes_go_on
condition_is FailoverReady False || fail "FailoverReady is not False while only the primary has what is written"
[ "$(condition SemiSyncSatisfied reason)" = SemiSyncOff ] || fail "SemiSyncSatisfied says $(condition SemiSyncSatisfied reason)"
signal_mysqld "$one" -CONT
signal_mysqld "$two" -CONT
until_true 120 "the cluster is whole again" healthy
acks_are 1 || fail "commits wait for $(field .status.effectiveAcks) acks"
old="$(primary)"
kill_mysqld "$old"
until_true 60 "another primary than $old" primary_is_not "$old"
writes_go_on 60
until_true 180 "the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
