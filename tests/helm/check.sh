#!/usr/bin/env bash
# Lints the chart and compares what it renders with tests/golden/helm, for each file of tests/helm/values.
#   check.sh              takes about two seconds
#   check.sh --rewrite    writes the golden files; review the difference
# HELM names the program; without it, the testbed's is used, and built first where it is missing (2 minutes, once).
source "$(dirname "${BASH_SOURCE[0]}")/../env/common.sh"

chart="$REPO/helm/baton"
golden="$REPO/tests/golden/helm"
if [ -z "${HELM:-}" ]; then
  bash "$REPO/e2e/cluster/build.sh" helm
  HELM="$(source "$REPO/e2e/cluster/paths.sh" && bin_of helm)"
fi
[ -x "$HELM" ] || die "HELM is $HELM, which is no program"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Helm's own settings of the person at the keyboard are left alone.
export HELM_CACHE_HOME="$work/cache" HELM_CONFIG_HOME="$work/config" HELM_DATA_HOME="$work/data"

# render VALUES-FILE [FLAG…]
render() {
  local values="$1"
  shift
  "$HELM" template baton "$chart" --namespace baton-system --kube-version 1.36.0 --values "$values" "$@"
}

failures=0
for file in mysqlreplicationclusters.mysql.baton.dev.yaml:files samples/cluster.yaml:.; do
  copy="$chart/${file#*:}/${file%:*}"
  [ "${1:-}" != --rewrite ] || cp "$REPO/crds/${file%:*}" "$copy"
  cmp --silent "$REPO/crds/${file%:*}" "$copy" ||
    die "${copy#"$REPO/"} is not a copy of crds/${file%:*}; run $0 --rewrite"
done
for values in "$REPO"/tests/helm/values/*.yaml; do
  name="$(basename "$values")"
  "$HELM" lint --quiet --strict "$chart" --values "$values" >&2 || die "helm lint refuses the chart with $name"
  render "$values" >"$work/$name"
  if [ "${1:-}" = --rewrite ]; then
    cp "$work/$name" "$golden/$name"
  elif ! diff -u "$golden/$name" "$work/$name" >&2; then
    failures=$((failures + 1))
  fi
done
# Values that the schema must refuse.
for wrong in replicaCount=0 image.pullPolicy=Sometimes operator.logLevel=loud unknown=1 watchNamespaces={UPPER}; do
  if render "$REPO/tests/helm/values/default.yaml" --set "$wrong" >/dev/null 2>&1; then
    die "the chart takes $wrong"
  fi
done
[ "$failures" = 0 ] || die "$failures renderings differ; if that is wanted, run $0 --rewrite"
say "the chart renders as tests/golden/helm has it"
