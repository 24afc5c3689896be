#!/usr/bin/env bash
# The demo, on a Kubernetes that the user names: it ends with a time line and the ledger's verdict, and `down` leaves what
# README says it leaves.
# Runs alone: it installs the chart and removes it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

at_end() { kubectl delete namespace baton-demo --ignore-not-found >/dev/null; bash "$REPO/e2e/install.sh"; }
demo() { KUBECONFIG="$KUBECONFIG_FILE" IMAGES="$IMAGE_PREFIX" PULL_POLICY=Never bash "$REPO/e2e/demo.sh" "$@"; }

say "running the demo (a minute)"
told="$(demo)" || fail "the demo failed: $told"
echo "$told"
[[ "$(tail -n 1 <<<"$told")" =~ ^ledger:\ acknowledged\ [1-9][0-9]*,\ lost\ 0,\ longest\ gap\ [0-9]+\ ms$ ]] || fail "its last line is no verdict"
told="$(sed -n '/^Timeline/,$p' <<<"$told")"
# precedes A B: in the time line.
precedes() { [ "$(grep -n "  $1" <<<"$told" | cut -d: -f1)" -lt "$(grep -n "  $2" <<<"$told" | cut -d: -f1)" ] || fail "'$1' does not come before '$2' in the time line"; }
phases=(killed detected decided recorded revoked chosen promoted 'endpoint moved')
for ((i = 1; i < ${#phases[@]}; i++)); do precedes "${phases[i - 1]}" "${phases[i]}"; done
precedes promoted 'first acknowledged write'
demo down
! kubectl get namespace baton-demo >/dev/null 2>&1 || fail "baton-demo is still there"
[ -z "$(helm list --namespace baton-system --short)" ] || fail "the chart is still installed"
kubectl get crd mysqlreplicationclusters.mysql.baton.dev >/dev/null || fail "the CRD is gone, and with it all clusters"
