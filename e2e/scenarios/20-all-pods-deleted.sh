#!/usr/bin/env bash
# All pods are deleted at once: the cluster comes back by itself, with everything acknowledged.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
k delete pods -l mysql.baton.dev/cluster=shop --wait=false >/dev/null
writes_go_on 180
made_whole 180
finish_ledger
until_true 60 "all members hold the same data" same_data
