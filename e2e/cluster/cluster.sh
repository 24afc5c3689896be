#!/usr/bin/env bash
# A real Kubernetes on this machine, without a container registry.
#   cluster.sh up                      start it; NODES=3 for three nodes. Returns at once when it runs already
#   cluster.sh down                    end it and remove everything it made, volumes included
#   cluster.sh status                  what runs
#   cluster.sh run COMMAND…            up, then the command with KUBECONFIG set and kubectl and helm on PATH
#   cluster.sh restart-apiserver [S]   kill the API server; it stays away S seconds (0) and comes back by itself
#   cluster.sh hold-apiserver          kill the API server; it stays away …
#   cluster.sh release-apiserver       … until this
source "$(dirname "${BASH_SOURCE[0]}")/nodes.sh"

# Kernel settings that kubelet changes, or that many containers need; `down` puts the old values back.
SETTINGS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys
  kernel.keys.root_maxbytes fs.inotify.max_user_instances)

save_settings() {
  local name
  [ ! -e "$STATE/settings" ] || return 0
  for name in "${SETTINGS[@]}"; do
    printf '%s %s\n' "/proc/sys/${name//.//}" "$(cat "/proc/sys/${name//.//}" 2>/dev/null || true)"
  done >"$STATE/settings.new"
  mv "$STATE/settings.new" "$STATE/settings"
  if [ "$(cat /proc/sys/fs/inotify/max_user_instances)" -lt 1024 ]; then
    echo 1024 >/proc/sys/fs/inotify/max_user_instances
  fi
}

restore_settings() {
  local file value
  [ -e "$STATE/settings" ] || return 0
  while read -r file value; do
    [ -z "$value" ] || echo "$value" >"$file" || say "could not put back $file"
  done <"$STATE/settings"
}

healthy() { kubectl get --raw /readyz --request-timeout=3s >/dev/null 2>&1; }

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
  local limit="$1" what="$2" begin=$SECONDS
  shift 2
  until "$@"; do
    [ $((SECONDS - begin)) -lt "$limit" ] || die "$what did not happen within $limit s; logs are in $STATE/node1/log"
    sleep 0.2
  done
}

node_ready() {
  kubectl wait --for=condition=Ready "node/$1" --timeout=5s >/dev/null 2>&1
}

up() {
  local wanted="${NODES:-1}" number new=()
  [ "$(id -u)" = 0 ] || die "namespaces and cgroups need root"
  [[ "$wanted" =~ ^[1-9]$ ]] || die "NODES=$wanted; give a number from 1 to 9"
  need_packages ip=iproute2 unshare=util-linux openssl=openssl flock=util-linux
  "$CLUSTER_DIR/build.sh"
  exec {lock}>"$CACHE/cluster.lock"
  flock -n "$lock" || { say "waiting for another cluster.sh to end"; flock "$lock"; }
  if ! node_alive node1 && [ -e "$STATE/node1" ]; then
    say "cleaning up what an unclean end left"
    remove_all
  fi
  mkdir -p "$STATE" # Now: whoever had the lock may have removed it.
  save_settings
  lan_up
  pki_cluster
  for ((number = 1; number <= wanted; number++)); do
    node_alive "node$number" && continue
    say "starting node$number (about 10 s)"
    rm -f "$STATE/complete"
    node_start "node$number"
    new+=("node$number")
  done
  if [ ${#new[@]} -gt 0 ] || [ ! -e "$STATE/complete" ] || ! healthy; then
    settle "${new[@]}"
  fi
  exec {lock}>&-
  say "the cluster is up: $KUBECONFIG_FILE"
}

# settle NODE…: gives the new nodes what they need and waits until all works.
settle() {
  local node
  wait_for 60 "the API server's answer" healthy
  "$REPO/e2e/images/build.sh" testbed
  kubectl apply --server-side -f "$CLUSTER_DIR/manifests" >/dev/null
  for node in "$@"; do
    wait_for 90 "readiness of $node" node_ready "$node"
  done
  wait_for 60 "cluster DNS" kubectl -n kube-system rollout status deployment/coredns --timeout=5s >/dev/null 2>&1
  wait_for 60 "the volume provisioner" \
    kubectl -n local-path-storage rollout status deployment/local-path-provisioner --timeout=5s >/dev/null 2>&1
  touch "$STATE/complete"
}

remove_all() {
  local node
  for node in $(node_list); do
    node_stop "$node"
  done
  for node in $(node_list); do
    node_clean "$node"
  done
  lan_down
  restore_settings
  rm -rf --one-file-system "$STATE"
}

down() {
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/cluster.lock"
  flock "$lock"
  remove_all
  say "the cluster is gone"
}

status() {
  local node
  for node in $(node_list); do
    printf '%s: %s\n' "$node" "$(node_pid "$node" || echo dead)"
  done
  [ -e "$KUBECONFIG_FILE" ] || { echo "no cluster"; return 1; }
  echo "KUBECONFIG=$KUBECONFIG_FILE"
  kubectl get nodes -o wide --request-timeout=5s
  kubectl get pods -A -o wide --request-timeout=5s
}

hold_apiserver() {
  node_exec node1 touch /run/testbed/kube-apiserver.hold
  # shellcheck disable=SC2016
  node_exec node1 bash -c 'kill -KILL "$(cat /run/testbed/kube-apiserver.pid)"'
}

release_apiserver() {
  node_exec node1 rm -f /run/testbed/kube-apiserver.hold
  wait_for 60 "the API server's return" healthy
}

restart_apiserver() {
  hold_apiserver
  sleep "${1:-0}"
  release_apiserver
}

case "${1:-}" in
  up) up ;;
  down) down ;;
  status) status ;;
  run)
    shift
    up
    exec "$@"
    ;;
  restart-apiserver)
    shift
    restart_apiserver "$@"
    ;;
  hold-apiserver) hold_apiserver ;;
  release-apiserver) release_apiserver ;;
  *) die "usage: cluster.sh up | down | status | run COMMAND… | restart-apiserver [SECONDS] | hold-apiserver | release-apiserver" ;;
esac
