#!/usr/bin/env bash
# The mysqlds of the primary and of a replica that acknowledged get SIGKILL at the same moment, under load.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
old="$(primary)"
read -r acker _ <<<"$(replicas)"
kill_mysqld "$acker" &
kill_mysqld "$old"
wait "$!"
until_true 60 "another primary than $old" primary_is_not "$old"
writes_go_on 60
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
