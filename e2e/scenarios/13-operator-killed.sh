#!/usr/bin/env bash
# Both replicas of the operator are killed right after the primary: the one that comes back goes on.
# Runs alone: it kills the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
old="$(primary)"
kill_mysqld "$old"
kubectl --namespace baton-system delete pods -l app.kubernetes.io/name=baton --force --grace-period=0 2>/dev/null
writes_go_on 120
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
