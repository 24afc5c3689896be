#!/usr/bin/env bash
# From nothing to a failover on a real Kubernetes.
#   demo.sh        sets up what is missing, starts a one-machine Kubernetes (NODES=3: three nodes), installs Baton by Helm,
#                  applies the sample cluster, writes through its Service, kills the primary's mysqld, prints the timeline
#                  and asks a ledger whether any acknowledged row is gone. First run 8 to 15 minutes, later ones about one.
#   demo.sh down   removes all that it started; of a cluster of yours all but the CustomResourceDefinition and baton-system
# With KUBECONFIG set, that cluster is used and none is started; IMAGES=<prefix> then names where the images were pushed to
# (<prefix>baton-operator:dev, <prefix>baton-sidecar:dev, <prefix>baton-ledger:dev, <prefix>mysql:9.7).
external=""
if [ -n "${KUBECONFIG:-}" ]; then
  export BATON_E2E_EXTERNAL=1
  external=1
fi
demo_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$demo_dir/../tests/env/common.sh"

if [ "${1:-}" = down ]; then
  if [ -n "$external" ]; then
    say "removing the demo from the cluster of KUBECONFIG"
    kubectl delete namespace baton-demo --ignore-not-found
    helm uninstall baton --namespace baton-system --ignore-not-found
  else
    "$demo_dir/cluster/cluster.sh" down
  fi
  exit 0
fi
[ -z "${1:-}" ] || die "unknown word '$1'; demo.sh or demo.sh down"

if [ -n "$external" ]; then
  [ -n "${IMAGES:-}" ] || die "KUBECONFIG is set, so IMAGES=<prefix> must say where its nodes find Baton's images; e2e/README.md tells how to build and push them. Unset KUBECONFIG to have a Kubernetes started here"
  command -v kubectl >/dev/null && command -v helm >/dev/null || die "with KUBECONFIG set, kubectl and helm must be on PATH"
  export PULL_POLICY="${PULL_POLICY:-IfNotPresent}"
  "$demo_dir/install.sh"
else
  "$demo_dir/up.sh"
fi

export NAMESPACE=baton-demo KEEP=1
SCENARIO_FILE=demo
source "$demo_dir/scenarios/lib.sh"

# milliseconds_from A B: between two RFC 3339 times.
milliseconds_from() {
  echo $(($(date -d "$2" +%s%3N) - $(date -d "$1" +%s%3N)))
}

# The sample, with the image that this cluster has.
say "applying crds/samples/cluster.yaml (about half a minute)"
kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
sed "s|^  image: .*|  image: $MYSQL_IMAGE|" "$demo_dir/../crds/samples/cluster.yaml" | k apply -f - >/dev/null
until_true 180 "all members replicate and a failover is possible" healthy

start_ledger
old="$(primary)"
writes_go_on
kill_mysqld "$old"
until_true 60 "another primary than $old" primary_is_not "$old"
writes_go_on
made_whole 120
finish_ledger

phases="$(mrc | jq -r '.status.lastFailover.phases[] | "\(.at) \(.name)"' |
  sed -e 's/ opened$/ promoted: open for writes/' -e 's/ repointed$/ endpoint moved/')"
first_write="$(first_write_since_choice)"
echo
echo "Timeline of the failover from $old to $(primary), in milliseconds after the kill:"
printf '%s killed\n%s\n%s first acknowledged write\n' "$KILLED_AT" "$phases" "$first_write" | sort --stable --key=1,1 | while read -r at name; do
  printf '%8s  %s\n' "$(milliseconds_from "$KILLED_AT" "$at")" "$name"
done
echo
echo "$VERDICT"
