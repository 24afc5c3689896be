#!/usr/bin/env bash
# Both replicas of the operator are killed in the middle of a failover: the intent is recorded, and no member can be
# promoted yet, because the appliers of both replicas wait for a table. The operator that comes back goes on with the same
# failover.
# Runs alone: it kills the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

asleep="SELECT ID FROM performance_schema.processlist WHERE INFO LIKE 'SELECT SLEEP(%'"
# hold_applier REPLICA: it receives and acknowledges rows of the ledger and cannot apply them, until let_go.
hold_applier() { sql "$1" "LOCK TABLES app.ledger READ; SELECT SLEEP(600)" >/dev/null 2>&1 & }
applier_held() { [ -n "$(sql "$1" "$asleep")" ]; }
let_go() { sql "$1" "KILL $(sql "$1" "$asleep")"; }

recorded() { [ -n "$(field .status.failover.id)" ]; }
running_operators() {
  local pod
  for pod in $(kubectl --namespace baton-system get pods -l app.kubernetes.io/name=baton -o json |
    jq -r '.items[] | select(.metadata.deletionTimestamp == null) | .metadata.name'); do
    process_of "$(uid_of baton-system "$pod")" baton-operator
  done
}

until_true 60 "two operators are ready" kubectl --namespace baton-system rollout status deployment/baton --timeout=5s
cluster_up 3
start_ledger
old="$(primary)"
first="$(leader)"
endpoint="$(endpoint)"
read -r -a operators <<<"$(running_operators | paste -sd' ')"
[ "${#operators[@]}" = 2 ] || fail "not two processes of the operator on this machine: ${operators[*]}"
read -r -a held <<<"$(replicas)"
for replica in "${held[@]}"; do
  hold_applier "$replica"
  until_true 30 "the applier of $replica waits" applier_held "$replica"
done
writes_go_on
kill_mysqld "$old"
until_true 60 "the failover is recorded" recorded
kill -KILL "${operators[@]}"
say "killed both operators"

failover="$(field .status.failover.id)"
[ "$(field .status.failover.phase)" = Revoking ] || fail "the failover was not interrupted: $(mrc | jq -c .status.failover)"
[ "$(primary)" = "$old" ] || fail "$(primary) was promoted before it could have applied what was acknowledged"
[ "$(endpoint)" = "$endpoint" ] || fail "the endpoint moved before: from $endpoint to $(endpoint)"
for replica in "${held[@]}"; do let_go "$replica"; done
until_true 120 "another primary than $old" primary_is_not "$old"
writes_go_on 120
made_whole 180
[ "$(leader)" != "$first" ] || fail "the process that began the failover, $first, still leads"
[ "$(field .status.lastFailover.id)" = "$failover" ] || fail "$failover was not finished: $(mrc | jq -c .status.lastFailover)"
[ "$(endpoint)" != "$endpoint" ] || fail "the endpoint did not move: $endpoint"
finish_ledger
until_true 60 "all members hold the same data" same_data
