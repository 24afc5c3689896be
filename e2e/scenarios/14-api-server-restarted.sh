#!/usr/bin/env bash
# The primary's mysqld is killed while there is no API server: the promotion waits for it, since intent must be durable
# first, and begins when it is back. Then the API server goes away in the middle of a failover, between intent and choice.
# Runs alone: the API server goes away for all.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_sh="$REPO/e2e/cluster/cluster.sh"
at_end() { "$cluster_sh" release-apiserver; }
# refusals: how often an operator could not write a record, or lost the lease without which it may not. From the nodes'
# disks: nobody else can be asked.
refusals() { cat "$STATE"/node[0-9]/log/pods/baton-system_*/*/*.log | grep -cE '"(record not written|is no longer leader)"' || true; }
refusals_beyond() { [ "$(refusals)" -gt "$1" ]; }

cluster_up 3
start_ledger
old="$(primary)"
mysqld="$(process_of "$(uid_of "$NAMESPACE" "$old")" mysqld)" || fail "no mysqld of $old on this machine"
before="$(refusals)"
"$cluster_sh" hold-apiserver
kill -KILL "$mysqld"
say "killed mysqld of $old while there is no API server"
until_true 60 "the operator can record nothing" refusals_beyond "$before"
back="$(date -u +%FT%T.%3NZ)"
"$cluster_sh" release-apiserver
until_true 90 "another primary than $old" primary_is_not "$old"
writes_go_on 90
made_whole 180
[ "$(field .status.lastFailover.from)" = "$old" ] || fail "no failover from $old is told: $(mrc | jq -c .status.lastFailover)"
# A process that took over from another one has seen no phases; when that one had begun is in the record.
recorded="$(field '[.status.lastFailover.phases[]? | select(.name == "recorded") | .at][0] // .status.lastFailover.startedAt')"
[[ "$recorded" > "$back" ]] || fail "the failover was recorded at $recorded, but the API server was away until $back"
say "the API server came back at $back, and the failover was recorded at $recorded"

# Readers hold up both candidates, so that the failover stands still behind its intent.
intended() { [ "$(field '.status.failover | .oldPrimary.name + .phase')" = "$1Revoking" ]; }
old="$(primary)"
candidates="$(replicas)"
for pod in $candidates; do hold_up "$pod" 10; done
kill_mysqld "$old"
until_true 30 "the failover is intended" intended "$old"
before="$(refusals)"
"$cluster_sh" hold-apiserver
until_true 60 "the operator can record nothing" refusals_beyond "$before"
back="$(date -u +%FT%T.%3NZ)"
"$cluster_sh" release-apiserver
for pod in $candidates; do let_go "$pod"; done
until_true 90 "another primary than $old" primary_is_not "$old"
writes_go_on 90
made_whole 180
chosen="$(phase_at chosen)"
[[ "$chosen" > "$back" ]] || fail "$(primary) was chosen at '$chosen', but the API server was away until $back"
say "the API server came back at $back, and $(primary) was chosen at $chosen"
finish_ledger
until_true 60 "all members hold the same data" same_data
