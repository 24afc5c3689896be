#!/usr/bin/env bash
# A cluster whose storage class does not exist: a sentence names the claim and the reason. A claim that is about to bind
# gets no such sentence, and another cluster of the namespace comes up and fails over meanwhile.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

says_why() { condition Ready message stuck | grep -q 'PersistentVolumeClaim data-stuck-[0-9] is not bound.*no-such-class'; }
never_bound() { k get events --field-selector reason=VolumeNotBound -o json | jq "[.items[] | select(.involvedObject.name == \"$1\")] | length"; }

kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
k apply -f - >/dev/null <<YAML
apiVersion: mysql.baton.dev/v1alpha1
kind: MySQLReplicationCluster
metadata: {name: stuck}
spec: {replicas: 3, image: $MYSQL_IMAGE, storage: {size: 1Gi, storageClassName: no-such-class}}
YAML
cluster_up 2
until_true 60 "status names the claim and why it is not bound" says_why
say "it says: $(condition Ready message stuck)"
[ "$(condition Ready reason stuck)" = VolumeNotBound ] || fail "the reason is $(condition Ready reason stuck)"
[ "$(never_bound stuck)" -ge 1 ] || fail "there is no event about it"
start_ledger
old="$(primary)"
kill_mysqld "$old"
until_true 30 "another primary than $old" primary_is_not "$old"
writes_go_on 60
made_whole 120
finish_ledger
[ "$(never_bound shop)" = 0 ] || fail "a claim that was on its way was called one that does not bind"
says_why || fail "the sentence is gone: $(condition Ready message stuck)"
[ "$(field .status.state stuck)" = Pending ] || fail "the stuck cluster is $(field .status.state stuck)"
