#!/usr/bin/env bash
# Things that happen to a node of the testbed.
#   node.sh NODE crash            every process and container ends at once; disks stay
#   node.sh NODE start            a crashed node comes back
#   node.sh NODE cut              its network cable is pulled
#   node.sh NODE heal             … and put back
#   node.sh NODE exec COMMAND…    runs a command on the node, as root
source "$(dirname "${BASH_SOURCE[0]}")/nodes.sh"

usage="usage: node.sh NODE crash | start | cut | heal | exec COMMAND…"
node="${1:?$usage}" verb="${2:?$usage}"
shift 2
[ -d "$STATE/$node/etc" ] || die "there is no $node; nodes: $(node_list | paste -sd' ')"
case "$verb" in
  crash) node_stop "$node" ;;
  start) node_start "$node" ;;
  cut) ip -n "$LAN" link set "port$(node_number "$node")" down ;;
  heal) ip -n "$LAN" link set "port$(node_number "$node")" up ;;
  exec) node_exec "$node" "$@" ;;
  *) die "$usage" ;;
esac
