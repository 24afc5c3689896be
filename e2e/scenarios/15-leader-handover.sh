#!/usr/bin/env bash
# Two operators run and one leads; when the leader is killed the other takes the lease and a failover still happens.
# Runs alone: it kills the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

leader_is_not() { local now; now="$(leader)"; [ -n "$now" ] && [ "$now" != "$1" ]; }

cluster_up 3
start_ledger
[ "$(kubectl --namespace baton-system get pods -l app.kubernetes.io/name=baton --field-selector=status.phase=Running -o name | wc -l)" -ge 2 ] ||
  fail "there are no two operators"
first="$(leader)"
kubectl --namespace baton-system delete pod "${first%_*}" --force --grace-period=0 2>/dev/null
until_true 30 "another leader than $first" leader_is_not "$first"
until_true 60 "the new leader sees a whole cluster" healthy
survives_a_kill
