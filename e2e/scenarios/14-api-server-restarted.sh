#!/usr/bin/env bash
# The API server is killed right after the primary: the promotion waits for it, since intent must be durable first, and
# goes on when it is back.
# Runs alone: the API server goes away for all.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
old="$(primary)"
kill_mysqld "$old"
"$REPO/e2e/cluster/cluster.sh" restart-apiserver 3
until_true 90 "another primary than $old" primary_is_not "$old"
writes_go_on 90
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
