#!/usr/bin/env bash
# First half of a node's start: runs in fresh mount, network, pid, uts and ipc namespaces, still sees the host's files,
# builds the node's root file system and goes into it. Started by nodes.sh; usage: node-enter.sh NODE ROOT DIRECTORY.
set -euo pipefail

node="$1" root="$2" dir="$3"

# /proc is still the host's, so this is the pid by which the host knows this process; with its start time, so that
# nobody ever kills a stranger that got the same pid later.
read -r -a stat </proc/self/stat
printf '%s %s\n' "${stat[0]}" "${stat[21]}" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

# The build root below, a tmpfs above: the node may write anywhere and leaves nothing behind.
new="$dir/root/merged"
mkdir -p "$dir/root"
mount -t tmpfs tmpfs "$dir/root"
mkdir "$dir/root/upper" "$dir/root/work" "$new"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$dir/root/upper,workdir=$dir/root/work" "$new"

mount --rbind /dev "$new/dev"
mount --rbind /sys "$new/sys"
mount -t proc proc "$new/proc"
mount -t tmpfs tmpfs "$new/run"
mount -t tmpfs tmpfs "$new/tmp"

# What outlives a crash of the node: images, volumes, the API server's data, logs.
for pair in kubelet:/var/lib/kubelet containerd:/var/lib/containerd volumes:/var/lib/local-path etcd:/var/lib/etcd \
  log:/var/log; do
  mkdir -p "$dir/${pair%%:*}" "$new${pair#*:}"
  mount --bind "$dir/${pair%%:*}" "$new${pair#*:}"
done
mkdir -p "$new/opt/kubernetes" "$new/etc/kubernetes" "$new/etc/cni/net.d" "$new/old"
mount --bind "$(cat "$dir/etc/binaries")" "$new/opt/kubernetes"
mount --bind "$dir/etc" "$new/etc/kubernetes"
cp "$dir/etc/cni.conflist" "$new/etc/cni/net.d/10-baton.conflist"
hostname "$node"
printf '127.0.0.1 localhost %s\n' "$node" >"$new/etc/hosts"

cd "$new"
pivot_root . old
exec chroot . /bin/bash /etc/kubernetes/node-init.sh "$node"
