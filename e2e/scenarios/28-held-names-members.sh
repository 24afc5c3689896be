#!/usr/bin/env bash
# The primary's volume is lost while no replica's mysqld answers: the failover is held, and the message names each member
# whose log is needed. It goes on by itself when they answer again.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ackers() { field '[.status.ackers[]?.member] | join(" ")'; }
names_the_needed() {
  local message pod
  message="$(field .status.message)"
  [[ "$message" == *"failover is held: the logs of "*" ackers are needed and 0 can be counted; "* ]] || return 1
  for pod in $(ackers); do [[ "$message" == *"mysqld of $pod does not answer"* ]] || return 1; done
}

cluster_up 3
start_ledger
old="$(primary)"
read -r -a frozen <<<"$(replicas)"
for replica in "${frozen[@]}"; do signal_mysqld "$replica" -STOP; done
until_true 60 "no failover is possible" condition_is FailoverReady False
claim="$(k get pvc "data-$old" -o jsonpath='{.metadata.uid}')"
k delete pvc "data-$old" --wait=false >/dev/null
k delete pod "$old" --wait=false >/dev/null
until_true 120 "$old has a new volume" claim_is_new "$old" "$claim"
until_true 120 "the failover is held" state_is FailoverHeld
[ -n "$(ackers)" ] || fail "the record names no acker: this check would see nothing"
until_true 30 "the message names whose logs are needed" names_the_needed
say "it says: $(field .status.message)"
[ "$(primary)" = "$old" ] || fail "$(primary) was promoted without a proof"
for replica in "${frozen[@]}"; do signal_mysqld "$replica" -CONT; done
until_true 60 "another primary than $old" primary_is_not "$old"
writes_go_on 60
until_true 240 "the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
