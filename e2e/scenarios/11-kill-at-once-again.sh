#!/usr/bin/env bash
# The new primary is killed as soon as it is open, before the old one has rejoined.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_up 3
start_ledger
first="$(primary)"
kill_mysqld "$first"
until_true 30 "another primary than $first" primary_is_not "$first"
second="$(primary)"
writes_go_on 30
kill_mysqld "$second"
# Both old primaries may hold a tail that nobody else has: then writes wait for an acker that is rebuilt.
made_whole 180
writes_go_on 60
finish_ledger
until_true 60 "all members hold the same data" same_data
