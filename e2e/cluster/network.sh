# shellcheck shell=bash
# The testbed's wires. To be sourced after paths.sh. Gives: lan_up, lan_down, node_address, plug_node, unplug_node.
#
#   host  baton-host ──┐
#   node1 eth0 ────────┼── br0, in a network namespace of its own ("baton-lan")
#   node2 eth0 ────────┘
#
# The bridge has a namespace of its own so that the host's firewall (Docker's FORWARD policy, say) never sees a frame
# between nodes. The host gets routes to pods and Services, so that tests may dial them.

LAN=baton-lan
HOST_ADDRESS=10.99.0.1
SERVICE_RANGE=10.96.0.0/16
POD_RANGE=10.244.0.0/16
# Used by nodes.sh.
# shellcheck disable=SC2034
DNS_ADDRESS=10.96.0.10

# node_number NODE: 2 for node2.
node_number() { echo "${1#node}"; }
node_address() { echo "10.99.0.$((10 + $(node_number "$1")))"; }
node_pods() { echo "10.244.$(node_number "$1").0/24"; }

lan_up() {
  if ! ip link show baton-host >/dev/null 2>&1; then
    local range
    for range in 10.99.0.0/24 "$SERVICE_RANGE" "$POD_RANGE"; do
      [ -z "$(ip -4 route show root "$range")" ] ||
        die "this machine already routes (part of) $range, which the testbed needs"
    done
    ip netns list | grep -q "^$LAN\b" || ip netns add "$LAN"
    ip -n "$LAN" link set lo up
    ip -n "$LAN" link show br0 >/dev/null 2>&1 || ip -n "$LAN" link add br0 type bridge
    ip -n "$LAN" link set br0 up
    ip link add baton-host type veth peer name host netns "$LAN"
    ip -n "$LAN" link set host master br0 up
    ip address add "$HOST_ADDRESS/24" dev baton-host
    ip link set baton-host up
    ip route replace "$SERVICE_RANGE" via "$(node_address node1)"
  fi
}

lan_down() {
  ip link delete baton-host 2>/dev/null || true
  ip netns delete "$LAN" 2>/dev/null || true
  # ip leaves its folder mounted; take that away too unless someone else keeps a namespace there.
  if [ -d /run/netns ] && [ -z "$(ls -A /run/netns)" ]; then
    umount /run/netns 2>/dev/null || true
    rmdir /run/netns 2>/dev/null || true
  fi
}

# plug_node NODE PID: a wire between the bridge and the network namespace of that process.
plug_node() {
  local port
  port="port$(node_number "$1")"
  ip -n "$LAN" link delete "$port" 2>/dev/null || true
  ip -n "$LAN" link add "$port" type veth peer name eth0 netns "$2"
  ip -n "$LAN" link set "$port" master br0 up
  ip route replace "$(node_pods "$1")" via "$(node_address "$1")"
}

unplug_node() {
  ip -n "$LAN" link delete "port$(node_number "$1")" 2>/dev/null || true
  ip route delete "$(node_pods "$1")" 2>/dev/null || true
}
