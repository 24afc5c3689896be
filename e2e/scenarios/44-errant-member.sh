#!/usr/bin/env bash
# A replica with a transaction of its own is set aside, with its set in a condition; deleting its claim and pod rebuilds it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

names_the_set() { condition ErrantMembers message | grep -q "$1"; }

cluster_up 3
start_ledger
replica="$(k get pods -l mysql.baton.dev/role=replica -o jsonpath='{.items[0].metadata.name}')"
sql "$replica" "SET GLOBAL super_read_only = OFF; CREATE DATABASE errant; SET GLOBAL super_read_only = ON"
uuid="$(sql "$replica" "SELECT @@server_uuid")"
until_true 60 "the condition names the errant set" names_the_set "$uuid"
condition_is ErrantMembers True || fail "ErrantMembers is not True"
writes_go_on
rebuild "$replica"
until_true 240 "$replica is rebuilt and the cluster is whole again" healthy
finish_ledger
until_true 60 "all members hold the same data" same_data
