#!/usr/bin/env bash
# Two operators run. The one without the lease says so and does nothing. The leader is frozen in the middle of a
# failover; the other one takes the lease and finishes it; the old leader wakes up, believes in its lease until it reads a
# clock, and changes nothing.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

b() { kubectl --namespace baton-system "$@"; }
leading_pod() { local holder; holder="$(leader)"; echo "${holder%_*}"; }
leader_is_not() { local now; now="$(leading_pod)"; [ -n "$now" ] && [ "$now" != "$1" ]; }
metric() { b get --raw "/api/v1/namespaces/baton-system/pods/$1:9105/proxy/metrics" | sed -nE "s/^$2 //p"; }
# records_of POD SINCE: the revisions of the records that it says it wrote or took over.
records_of() { b logs "$1" --since-time="$2" | jq -r 'select(.message | test("^record (written|taken over)$")) | .revision'; }
readiness() { b get --raw "/api/v1/namespaces/baton-system/pods/$1:8080/proxy/readyz"; }
# acts POD: how many records it wrote and steps it took; SINCE (RFC 3339) leaves out what was before.
acts() { b logs "$1" ${SINCE:+--since-time="$SINCE"} | grep -cE '"(record written|record taken over|step done|step failed)"' || true; }
says_not_leader() { b logs "$1" --since-time="$2" | grep '"is no longer leader"'; }
open_members() {
  local pod count=0
  for pod in $(k get pods -l mysql.baton.dev/cluster=shop -o name); do
    [ "$(sql "${pod#pod/}" 'SELECT @@read_only')" = 1 ] || count=$((count + 1))
  done
  echo "$count"
}
record() { field '.status | [.epoch, .revision, .currentPrimary.uuid, .ackers] | tostring'; }

frozen=""
thaw() { [ -z "$frozen" ] || kill -CONT "$frozen"; frozen=""; }
at_end() { thaw; }

until_true 60 "two operators are ready" b rollout status deployment/baton --timeout=5s
until_true 30 "one of them leads" leader_is_not ""
first="$(leading_pod)"
second="$(b get pods -l app.kubernetes.io/name=baton --field-selector=status.phase=Running -o json |
  jq -r --arg leader "$first" '[.items[] | select(.metadata.deletionTimestamp == null) | .metadata.name | select(. != $leader)][0] // ""')"
[ -n "$second" ] || fail "there is no second operator"
before="$(acts "$second")"
cluster_up 3
start_ledger
[ "$(metric "$first" baton_leader)" = 1 ] || fail "the metric of the leader $first does not say that it leads"
[ "$(metric "$second" baton_leader)" = 0 ] || fail "the metric of the standby $second does not say that it stands by"
[ "$(readiness "$second")" = ok ] || fail "the standby $second is not ready to lead"
[ "$(acts "$first")" -gt 0 ] || fail "the log of the leader $first tells of no act: this check would see nothing"
[ "$(acts "$second")" = "$before" ] || fail "the standby $second acted while $first led"
say "$first leads and acts, $second stands by and does not"

old="$(primary)"
mysqld="$(process_of "$(uid_of "$NAMESPACE" "$old")" mysqld)" || fail "no mysqld of $old on this machine"
operator="$(process_of "$(uid_of baton-system "$first")" baton-operator)" || fail "no operator of $first on this machine"
killed="$(date -u +%FT%T.%NZ)"
kill -KILL "$mysqld"
# Long enough to have begun, too short to be done: wherever it is frozen, the outcome must be the same.
sleep "0.0$((RANDOM % 10))"
kill -STOP "$operator"
frozen="$operator"
say "killed mysqld of $old and froze the leader $first"
until_true 30 "another leader than $first" leader_is_not "$first"
until_true 60 "another primary than $old" primary_is_not "$old"
# What it had sent when it was frozen may have been written, and it hears of that when it wakes up.
taken="$(b logs "$second" --since-time="$killed" |
  jq -rs --arg cluster "$NAMESPACE/shop" 'map(select(.cluster == $cluster and .message == "record taken over")) | first.revision // ""')"
[ -n "$taken" ] || fail "$second does not tell which record it took over"
writes_go_on 60
made_whole 120
condition_is FailoverReady True || fail "the new leader sees no whole cluster"
record="$(record)" endpoint="$(endpoint)" SINCE="$(date -u +%FT%T.%NZ)"
thaw
until_true 30 "$first knows that it does not lead any more" says_not_leader "$first" "$SINCE"
writes_go_on
[ "$(metric "$first" baton_leader)" = 0 ] || fail "the metric of $first says that it leads"
late="$(records_of "$first" "$SINCE")" # By itself: a log that cannot be read must not look like one without records.
[ -z "$(awk -v taken="$taken" '$1 >= taken' <<<"$late")" ] || fail "$first wrote a record after it woke up"
[ "$(leading_pod)" = "$second" ] || fail "$(leading_pod) leads, not $second"
[ "$(record)" = "$record" ] || fail "the record changed from $record to $(record)"
[ "$(endpoint)" = "$endpoint" ] || fail "the endpoint changed from $endpoint to $(endpoint)"
[ "$(open_members)" = 1 ] || fail "$(open_members) members are open"
finish_ledger
until_true 60 "all members hold the same data" same_data
