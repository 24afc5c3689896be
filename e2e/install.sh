#!/usr/bin/env bash
# Installs or upgrades the chart in the Kubernetes of KUBECONFIG, with the images of IMAGES (default: those of the testbed),
# and waits until both replicas of the operator are ready.
source "$(dirname "${BASH_SOURCE[0]}")/../tests/env/common.sh"
[ -n "${BATON_E2E_EXTERNAL:-}" ] || source "$REPO/e2e/cluster/env.sh"

prefix="${IMAGES:-docker.io/local/}"
say "installing the chart (a few seconds)"
helm upgrade --install baton "$REPO/helm/baton" --namespace baton-system --create-namespace \
  --set "image.repository=${prefix}baton-operator" --set image.tag=dev --set "image.pullPolicy=${PULL_POLICY:-Never}" \
  --set "sidecar.image.repository=${prefix}baton-sidecar" --set sidecar.image.tag=dev \
  --set "sidecar.image.pullPolicy=${PULL_POLICY:-Never}" \
  --set-string "podAnnotations.rollout=$(date +%s)" \
  --wait --timeout 120s >/dev/null
kubectl --namespace baton-system rollout status deployment/baton --timeout=120s >&2
