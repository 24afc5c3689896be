#!/usr/bin/env bash
# Two of three volumes are lost, and with them the only copies of some rows: the failover is held until a person gives the
# primary up; what that cost is told, and the word is taken back.
# Runs alone: it stops the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { operator_back; }
watermark_has() { [ "$(sql "$old" "SELECT GTID_SUBSET('$1', '$(field .status.watermark)')")" = 1 ]; }
healthy_or_degraded() { [[ "$(field .status.state)" =~ ^(Healthy|Degraded)$ ]]; }
names_the_acker() {
  [[ "$(condition FailoverReady message)" =~ the\ logs\ of\ ([0-9])\ of\ [0-9]\ ackers\ are\ needed\ and\ ([0-9])\ can\ be\ counted ]] || return 1
  [ "${BASH_REMATCH[1]}" -gt "${BASH_REMATCH[2]}" ] && condition FailoverReady message | grep "$acker has another data directory"
}
word() { field '.metadata.annotations["mysql.baton.dev/force-failover"]'; }
no_word() { [ -z "$(word)" ]; }

cluster_up 3
old="$(primary)"
read -r acker survivor <<<"$(replicas)"
sql "$old" "CREATE TABLE app.rows_of_force (id INT PRIMARY KEY); INSERT INTO app.rows_of_force VALUES (1)"
signal_mysqld "$survivor" -STOP
sql "$old" "INSERT INTO app.rows_of_force VALUES (2)"
until_true 30 "the watermark has the second row" watermark_has "$(sql "$old" "SELECT @@gtid_executed")"
operator_away
# What its socket still holds goes with the process; it starts again without receiving.
kill_mysqld "$survivor"
kill_mysqld "$old"
for pod in "$old" "$acker"; do
  claim="$(k get pvc "data-$pod" -o jsonpath='{.metadata.uid}')"
  k delete pvc "data-$pod" --wait=false >/dev/null
  k delete pod "$pod" --wait=false >/dev/null
  until_true 120 "$pod has a new volume" claim_is_new "$pod" "$claim"
done
operator_back
# An operator that was not there when the primary ended has no proof of it. With one that was: 28-held-names-members.sh.
until_true 120 "the primary is unknown, and no failover begins" state_is PrimaryUnknown
until_true 60 "it is said whose log would be needed" names_the_acker
say "it says: $(field .status.message); $(condition FailoverReady message)"
[ "$(primary)" = "$old" ] || fail "$(primary) was promoted without a proof"
k annotate mrc shop "mysql.baton.dev/force-failover=nobody" >/dev/null
until_true 30 "a word about nobody is taken back" no_word
k annotate mrc shop "mysql.baton.dev/force-failover=$old" >/dev/null
until_true 120 "$survivor is the primary" primary_is_not "$old"
[ "$(primary)" = "$survivor" ] || fail "$(primary) is the primary, not $survivor"
until_true 30 "the word is taken back" no_word
until_true 60 "the failover is over" healthy_or_degraded
given_up="$(field .status.lastFailover.givenUp)"
[ -n "$given_up" ] || fail "status.lastFailover does not say what was given up"
say "given up: $given_up"
[ "$(sql "$survivor" "SELECT GROUP_CONCAT(id) FROM app.rows_of_force")" = 1 ] || fail "$survivor has other rows than it had"
until_true 300 "the cluster is whole again" healthy
