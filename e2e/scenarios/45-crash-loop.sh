#!/usr/bin/env bash
# mysqld that does not start, twice. A new cluster with a setting that mysqld refuses: a sentence says so, and the right
# setting is enough. A replica whose data is damaged: a sentence names it and what to do, the others go on, and doing it
# makes the cluster whole.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

says_refused() { field .status.message | grep -q "$1"; }
says_what_to_do() { field ".status.members[] | select(.name == \"$1\") | .message" | grep -q "mysqld of $1 does not start.*delete its claim data-$1"; }
# nudge: lets the kubelet renew mounts now, which it would do within two minutes.
nudge() { k annotate pods -l mysql.baton.dev/cluster=shop --overwrite "nudged=$(date +%s%N)" >/dev/null; }
all_nudged_and() { nudge; "$@"; }

CONFIG="transaction_isolation: NO_SUCH_LEVEL" apply_cluster 3
until_true 90 "status says what mysqld refuses" says_refused NO_SUCH_LEVEL
say "it says: $(field .status.message | tr '\n' ' ' | cut -c1-300)"
apply_cluster 3
until_true 180 "the right setting is enough" all_nudged_and healthy

start_ledger
replica="$(k get pods -l mysql.baton.dev/role=replica -o jsonpath='{.items[0].metadata.name}')"
primary="$(primary)"
k exec "$replica" -c mysqld -- bash -c ': >/var/lib/mysql/data/ibdata1'
kill_mysqld "$replica"
until_true 60 "a sentence names $replica and what to do" says_what_to_do "$replica"
say "it says: $(field ".status.members[] | select(.name == \"$replica\") | .message" | head -n 1 | cut -c1-300)"
[ "$(field .status.state)" = Degraded ] || fail "the state is $(field .status.state)"
writes_go_on
[ "$(primary)" = "$primary" ] || fail "the primary changed for no reason"
rebuild "$replica"
until_true 180 "$replica is rebuilt and the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
gap="$(sed -E 's/.*longest gap ([0-9]+) ms/\1/' <<<"$VERDICT")"
[ "$gap" -lt 5000 ] || fail "a damaged replica stalled writes for $gap ms"
