#!/usr/bin/env bash
# The token in the Secret is changed, and operators that start now know only the new one, while the members' mounts still
# hold the old one. A condition says so; clients go on; nobody is failed over on silence; when mounts have caught up, all
# is as before.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

b() { kubectl --namespace baton-system "$@"; }
rolling_names() { condition_is SecretsRolling True && condition SecretsRolling message | grep -q "$1"; }
not_rolling_and_healthy() { healthy && condition_is SecretsRolling False; }
nudge() { k annotate pods -l mysql.baton.dev/cluster=shop --overwrite "nudged=$(date +%s%N)" >/dev/null; }
record() { field '.status | [.epoch, .currentPrimary.uuid] | tostring'; }
life() { k get pods -l mysql.baton.dev/cluster=shop -o json | jq -cS '[.items[] | [.metadata.name, .metadata.uid, .status.containerStatuses[0].containerID]]'; }

cluster_up 3
start_ledger
record="$(record)" life="$(life)"
token="$(head -c 33 /dev/urandom | base64 | tr -d '\n=+/')"
k patch secret shop-baton --type=merge -p "{\"data\": {\"token\": \"$(printf %s "$token" | base64 -w 0)\"}}" >/dev/null
b delete pods -l app.kubernetes.io/name=baton --grace-period=1 --wait=false >/dev/null
until_true 60 "a condition names a member whose mount is behind" rolling_names 'shop-[0-2]'
say "it says: $(condition SecretsRolling message)"
[ "$(field .status.state)" != Healthy ] || fail "a cluster that cannot be ordered about is called healthy"
say "state $(field .status.state): $(field .status.message)"
writes_go_on 20
[ "$(record)" = "$record" ] || fail "silence led to a change of the primary: $record became $(record)"
nudge
until_true 150 "mounts have caught up and the cluster is as before" not_rolling_and_healthy
[ "$(k get secret shop-baton -o jsonpath='{.data.token}' | base64 -d)" = "$token" ] || fail "the new token was not kept"
[ "$(record)" = "$record" ] || fail "the record changed from $record to $(record)"
[ "$(life)" = "$life" ] || fail "a pod or container was restarted"
# Orders are taken again.
survives_a_kill
until_true 60 "all members hold the same data" same_data
