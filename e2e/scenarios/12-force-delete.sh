#!/usr/bin/env bash
# The primary's pod is deleted with --force --grace-period=0, which still sends SIGTERM to its processes: mysqld must not
# get it, because it would then tell waiting clients OK for rows that no replica has.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
old="$(primary)"
k delete pod "$old" --force --grace-period=0 2>/dev/null
until_true 60 "another primary than $old" primary_is_not "$old"
writes_go_on 60
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
