#!/usr/bin/env bash
# Process 1 of a node, inside its own root: wires up the network, then keeps the node's services running. When it is
# killed, every process and container of the node ends with it. Settings come from /etc/kubernetes/node.env.
set -uo pipefail

umount -l /old
# kubelet hands mounts on to containers.
mount --make-rshared /

export PATH=/opt/kubernetes:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /
mkdir -p /run/testbed
# shellcheck source=/dev/null
source /etc/kubernetes/node.env
NODE="$1"

note() { printf '%(%H:%M:%S)T %s\n' -1 "$*" >>/var/log/init.log; }

# supervise NAME COMMAND…: runs it for ever, log in /var/log/NAME.log, pid in /run/testbed/NAME.pid. While a file
# /run/testbed/NAME.hold exists it is not started again.
supervise() {
  local name="$1"
  shift
  while :; do
    while [ -e "/run/testbed/$name.hold" ]; do sleep 0.1; done
    "$@" >>"/var/log/$name.log" 2>&1 &
    echo $! >"/run/testbed/$name.pid"
    wait $!
    note "$name ended with status $?"
    sleep 0.2
  done
}

network() {
  local tries=0 other
  until ip link show eth0 >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { note "no network after 10 s"; exit 1; }
    sleep 0.05
  done
  ip link set lo up
  ip address add "$ADDRESS/24" dev eth0
  ip link set eth0 up
  ip route add default via "$HOST_ADDRESS"
  for other in 1 2 3 4 5 6 7 8 9; do
    [ "node$other" = "$NODE" ] || ip route add "10.244.$other.0/24" via "10.99.0.$((10 + other))"
  done
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

control_plane() {
  local pki=/etc/kubernetes/pki
  supervise etcd etcd --name node1 --data-dir /var/lib/etcd --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster node1=http://127.0.0.1:2380 &
  supervise kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --advertise-address "$ADDRESS" --secure-port 6443 --service-cluster-ip-range "$SERVICE_RANGE" \
    --tls-cert-file $pki/apiserver.crt --tls-private-key-file $pki/apiserver.key --client-ca-file $pki/ca.crt \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file $pki/service-account.pub --service-account-signing-key-file $pki/service-account.key \
    --kubelet-client-certificate $pki/apiserver-kubelet.crt --kubelet-client-key $pki/apiserver-kubelet.key \
    --kubelet-preferred-address-types InternalIP &
  supervise kube-controller-manager kube-controller-manager --kubeconfig $pki/controller-manager.kubeconfig \
    --use-service-account-credentials --service-account-private-key-file $pki/service-account.key \
    --root-ca-file $pki/ca.crt --leader-elect=false --bind-address 127.0.0.1 &
  supervise kube-scheduler kube-scheduler --kubeconfig $pki/scheduler.kubeconfig --leader-elect=false \
    --bind-address 127.0.0.1 &
}

# What an earlier life of this node left in containerd; kubelet would spend seconds on each.
forget_containers() {
  local tries=0 left
  until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { note "containerd does not answer after 30 s"; return 0; }
    sleep 0.1
  done
  left="$(ctr -n k8s.io containers ls -q)"
  # One word per container.
  # shellcheck disable=SC2086
  [ -z "$left" ] || ctr -n k8s.io containers rm $left >>/var/log/init.log 2>&1
}

network
[ "$NODE" != node1 ] || control_plane
supervise containerd containerd --config /etc/kubernetes/containerd.toml &
forget_containers
touch /run/testbed/containerd.ready
supervise kubelet kubelet --config /etc/kubernetes/kubelet.yaml --kubeconfig "/etc/kubernetes/pki/$NODE.kubeconfig" \
  --node-ip "$ADDRESS" --hostname-override "$NODE" &
supervise kube-proxy kube-proxy --config /etc/kubernetes/kube-proxy.yaml &

# As process 1, take in whatever is orphaned, for ever.
while :; do
  wait
  sleep 1
done
