# shellcheck shell=bash
# Nodes of the testbed: sets of Linux namespaces on this machine. To be sourced.
# Gives: node_start, node_stop, node_alive, node_exec, node_list, node_clean.
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$CLUSTER_DIR/network.sh"
source "$CLUSTER_DIR/pki.sh"

node_list() {
  local file
  for file in "$STATE"/node[0-9]/etc; do
    [ ! -d "$file" ] || basename "$(dirname "$file")"
  done
}

# node_pid NODE: the host's pid of the node's process 1, if it lives: same pid and same start time as were noted.
node_pid() {
  local pid start stat
  [ -e "$STATE/$1/pid" ] || return 1
  read -r pid start <"$STATE/$1/pid"
  read -r -a stat 2>/dev/null <"/proc/$pid/stat" || return 1
  [ "${stat[21]}" = "$start" ] && [ "${stat[2]}" != Z ] && echo "$pid"
}

node_alive() { node_pid "$1" >/dev/null; }

# node_exec NODE COMMAND…: runs a command on the node, as its root.
node_exec() {
  local pid
  pid="$(node_pid "$1")" || die "$1 is not running"
  shift
  nsenter --target "$pid" --mount --net --pid --uts --ipc --root --wd -- \
    env PATH=/opt/kubernetes:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# node_cgroups NODE: its folders, one per cgroup hierarchy; a single one where cgroup v2 is all there is.
node_cgroups() {
  local folder
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "/sys/fs/cgroup/baton-$1"
  else
    for folder in /sys/fs/cgroup/*/; do
      [ ! -e "$folder/cgroup.procs" ] || echo "${folder}baton-$1"
    done
  fi
}

make_cgroups() {
  local folder file
  while read -r folder; do
    mkdir -p "$folder"
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || continue
    # With cgroup v1 a new cpuset is empty, and nothing can run in it.
    for file in cpuset.cpus cpuset.mems; do
      [ -e "$folder/$file" ] || continue
      cat "$(dirname "$folder")/$file" >"$folder/$file"
    done
  done < <(node_cgroups "$1")
}

# remove_cgroups NODE: deepest first. A folder stays busy for a moment after its last process was killed.
remove_cgroups() {
  local folder tries
  while read -r folder; do
    for ((tries = 0; tries < 50; tries++)); do
      [ -d "$folder" ] || break
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
    [ ! -d "$folder" ] || say "could not remove $folder: something still runs in it"
  done < <(node_cgroups "$1")
}

# node_clean NODE: undoes what a dead node left, except its images, volumes, logs and the API server's data.
node_clean() {
  unplug_node "$1"
  remove_cgroups "$1"
  rm -f "$STATE/$1/pid"
  rm -rf --one-file-system "$STATE/$1/kubelet" "$STATE/$1/containerd/io.containerd.grpc.v1.cri"
}

# node_stop NODE: kills process 1, and with it every process of the node at once, as a power cut would.
node_stop() {
  local pid start tries
  if pid="$(node_pid "$1")"; then
    kill -KILL "$pid"
    for ((tries = 0; tries < 300; tries++)); do
      node_alive "$1" || break
      sleep 0.1
    done
    ! node_alive "$1" || die "$1 (pid $pid) does not end"
  fi
}

# write_settings NODE: everything that the node reads, in a folder that becomes its /etc/kubernetes.
write_settings() {
  local node="$1" etc="$STATE/$1/etc" file
  mkdir -p "$etc/pki"
  for file in kubelet.yaml kube-proxy.yaml containerd.toml cni.conflist; do
    sed -e "s|@NODE@|$node|g; s|@NODE_PODS@|$(node_pods "$node")|g" \
      -e "s|@DNS_ADDRESS@|$DNS_ADDRESS|g; s|@POD_RANGE@|$POD_RANGE|g" "$CLUSTER_DIR/config/$file" >"$etc/$file"
  done
  cp "$CLUSTER_DIR/node-init.sh" "$etc/"
  cp -r "$PKI/." "$etc/pki/"
  : >"$etc/resolv.conf"
  module_bin kubernetes >"$etc/binaries"
  printf '%s\n' "ADDRESS=$(node_address "$node")" "HOST_ADDRESS=$HOST_ADDRESS" "SERVICE_RANGE=$SERVICE_RANGE" \
    >"$etc/node.env"
}

# node_start NODE: returns when its process 1 runs and is wired up; readiness is the caller's to wait for.
node_start() {
  local node="$1" pid tries
  ! node_alive "$node" || return 0
  node_clean "$node"
  pki_node "$node"
  write_settings "$node"
  make_cgroups "$node"
  mkdir -p "$STATE/$node/log"
  # Nothing of the caller's is kept open: no terminal, no pipe that someone waits to see closed, no lock.
  (
    cd /
    for fd in /proc/self/fd/*; do
      fd="${fd##*/}"
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid unshare --mount --net --pid --uts --ipc --fork --propagation private -- \
      bash "$CLUSTER_DIR/node-enter.sh" "$node" "$ROOT" "$STATE/$node"
  ) </dev/null >>"$STATE/$node/log/init.log" 2>&1 &
  for ((tries = 0; tries < 100; tries++)); do
    ! pid="$(node_pid "$node")" || break
    sleep 0.05
  done
  [ -n "${pid:-}" ] || die "$node did not start; see $STATE/$node/log/init.log"
  plug_node "$node" "$pid"
}
