# shellcheck shell=bash
# To be sourced by scripts that talk to the testbed: sets KUBECONFIG and puts kubectl and helm on PATH, for this shell
# only, and makes it strict (set -euo pipefail); by hand, `cluster.sh run bash` is kinder. The kubeconfig, caches and
# settings of the person at the keyboard are neither read nor written.
source "$(dirname "${BASH_SOURCE[0]}")/paths.sh"

export KUBECONFIG="$KUBECONFIG_FILE"
# shellcheck disable=SC2034
API_SERVER=https://10.99.0.11:6443
export KUBECACHEDIR="$STATE/kubectl-cache"
export HELM_CACHE_HOME="$CACHE/helm/cache" HELM_CONFIG_HOME="$CACHE/helm/config" HELM_DATA_HOME="$CACHE/helm/data"
case ":$PATH:" in
  *":$TOOLS:"*) ;;
  *) export PATH="$TOOLS:$PATH" ;;
esac
