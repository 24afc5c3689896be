#!/usr/bin/env bash
# An image that has no mysqld, then the right one: a sentence first, a cluster afterwards.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

says_mysqld_is_missing() { field .status.message | grep -q 'no mysqld on its PATH'; }

right="$MYSQL_IMAGE"
MYSQL_IMAGE="$LEDGER_IMAGE" apply_cluster 1
until_true 120 "status says that mysqld is missing" says_mysqld_is_missing
say "it says: $(field .status.message)"
k patch mrc shop --type=merge -p "{\"spec\": {\"image\": \"$right\"}}" >/dev/null
k delete pod shop-0 --wait=false >/dev/null
until_true 120 "the cluster of one is open" condition_is Ready True
