#!/usr/bin/env bash
# Wrong manifests are refused by the API server, each with its sentence; good ones are accepted.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
bash "$REPO/tests/desired/check_manifests.sh" "$NAMESPACE"
