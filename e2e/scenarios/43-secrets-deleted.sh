#!/usr/bin/env bash
# Both Secrets are deleted: they come back with the same content, and neither replication nor clients notice.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

content() { k get secret "$1" -o json | jq -cS .data; }
is_back() { [ "$(content "$1")" = "$2" ]; }

cluster_up 3
start_ledger
for secret in shop-app shop-baton; do
  before="$(content "$secret")"
  k delete secret "$secret" >/dev/null
  until_true 90 "$secret is back as it was" is_back "$secret" "$before"
done
writes_go_on
old="$(primary)"
kill_mysqld "$old"
writes_go_on 60
made_whole 120
finish_ledger
