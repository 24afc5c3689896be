# shellcheck shell=bash
# Where the testbed keeps its things. To be sourced. Gives: MODULES, STATE, KUBECONFIG_FILE, TOOLS, module_bin, bin_of.
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/env/root.sh"

CLUSTER_DIR="$REPO/e2e/cluster"
MODULES="$CLUSTER_DIR/modules"

# All that the running cluster owns: pid files, logs, certificates, the nodes' own folders. Gone after `down`.
STATE="$CACHE/cluster"
# shellcheck disable=SC2034
KUBECONFIG_FILE="$STATE/kubeconfig"

# kubectl and helm for scripts; env.sh puts it on PATH.
# shellcheck disable=SC2034
TOOLS="$CACHE/bin/tools"

# module_bin MODULE: the folder of a module's binaries, named by what they are made of and with: any module of the
# workspace may raise a version for all.
module_bin() {
  echo "$CACHE/bin/$1-$(hash_of "$MODULES"/go.work* "$MODULES"/*/* "$CLUSTER_DIR/build.sh" "$ROOT/usr/lib/go/VERSION")"
}

# bin_of PROGRAM: the path of one of the built programs.
bin_of() {
  case "$1" in
    helm | coredns | local-path-provisioner) echo "$(module_bin "$1")/$1" ;;
    *) echo "$(module_bin kubernetes)/$1" ;;
  esac
}
