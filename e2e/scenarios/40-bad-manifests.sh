#!/usr/bin/env bash
# Wrong manifests are refused by the API server, each with its sentence; good ones are accepted, the sample among them. Of
# each field kubectl explains what it is.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
bash "$REPO/tests/desired/check_manifests.sh" "$NAMESPACE"
k apply --validate=strict --dry-run=server -f "$REPO/crds/samples/cluster.yaml" >/dev/null || fail "the sample is refused"
explained="$(kubectl explain mrc.spec.replication.semiSync.acks)"
[[ "$explained" == *"<integer>"*"Replicas that must have written a transaction"* ]] || fail "kubectl explains acks like this: $explained"
