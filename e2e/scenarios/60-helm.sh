#!/usr/bin/env bash
# The chart is upgraded with other values, uninstalled and installed again beside a cluster that takes writes: no mysqld
# is restarted, clients notice nothing, and at the end the operator fails it over. Leaves the testbed's operator as it
# found it.
# Runs alone: it removes the operator of all clusters.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { bash "$REPO/e2e/install.sh"; }

# lives: of each member the pod, its restarts, and the pid and start time of its mysqld.
lives() {
  local pod
  for pod in $(k get pods -l mysql.baton.dev/cluster=shop -o jsonpath='{.items[*].metadata.name}'); do
    k get pod "$pod" -o json | jq -c '[.metadata.name, .metadata.uid, ([.status.containerStatuses[], .status.initContainerStatuses[]] | map(.restartCount))]'
    # The shell inside the container expands these.
    # shellcheck disable=SC2016
    k exec "$pod" -c mysqld -- bash -c 'for p in /proc/[0-9]*; do
      [ "$(cat "$p/comm" 2>/dev/null)" != mysqld ] || { read -r -a stat <"$p/stat"; echo "mysqld ${stat[0]} since ${stat[21]}"; }; done'
  done
}
unchanged() { [ "$(lives)" = "$before" ] || fail "after $1 members live otherwise: $before became $(lives)"; }
argument() { kubectl --namespace baton-system get deployment baton -o json | jq -r '.spec.template.spec.containers[0].args[]' | grep -x -- "$1"; }
no_operator() { [ -z "$(kubectl --namespace baton-system get pods -l app.kubernetes.io/name=baton -o name)" ]; }
seen_by_new_leader() { [ "$(field .status.revision)" -gt "$1" ] && healthy; }

cluster_up 3
start_ledger
before="$(lives)"
[ "$(grep -c '^mysqld ' <<<"$before")" = 3 ] || fail "not three mysqlds: $before"

say "upgrading with other values"
helm upgrade baton "$REPO/helm/baton" --namespace baton-system --reuse-values --set operator.logLevel=debug \
  --set resources.requests.memory=80Mi --set sidecar.image.pullPolicy=IfNotPresent --wait --timeout 120s >/dev/null
argument --log-level=debug >/dev/null || fail "the upgrade changed nothing"
writes_go_on
until_true 60 "the upgraded operator sees a whole cluster" healthy
unchanged "the upgrade"

say "uninstalling"
helm uninstall baton --namespace baton-system --wait --timeout 120s >/dev/null
until_true 60 "no operator runs" no_operator
kubectl get crd mysqlreplicationclusters.mysql.baton.dev >/dev/null || fail "the CRD is gone, and with it all clusters"
[ "$(k get statefulset shop -o jsonpath='{.status.readyReplicas}')" = 3 ] || fail "members are gone"
[ "$(k get pvc -o name | wc -l)" = 3 ] || fail "volumes are gone"
writes_go_on
unchanged "the uninstall"

revision="$(field .status.revision)"
bash "$REPO/e2e/install.sh"
until_true 60 "the new operator has taken the cluster over" seen_by_new_leader "$revision"
unchanged "the new install"
finish_ledger
old="$(primary)"
kill_mysqld "$old"
until_true 30 "another primary than $old" primary_is_not "$old"
until_true 60 "all members replicate and a failover is possible" healthy
until_true 60 "all members hold the same data" same_data
