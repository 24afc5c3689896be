#!/usr/bin/env bash
# Both Secrets are deleted: they come back with the same content, an event says so, the password still works, clients
# notice nothing, and the next failover finds replication's passwords as they were.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

content() { k get secret "$1" -o json | jq -cS .data; }
is_back() { [ "$(content "$1")" = "$2" ]; }
uid_of() { k get secret "$1" -o jsonpath='{.metadata.uid}'; }
of_app() { k get secret shop-app -o jsonpath="{.data.$1}" | base64 -d; }
event_says() { k get events --field-selector reason=SecretRestored -o jsonpath='{.items[*].message}' | grep -q "Secret $1 was gone"; }
# log_in: as a client does, through the Service, with what the Secret holds now.
log_in() {
  k exec "$(primary)" -c mysqld -- env MYSQL_PWD="$(of_app password)" mysql --no-defaults --host="$(of_app host)" \
    --port="$(of_app port)" --user="$(of_app user)" --database="$(of_app database)" -e 'SELECT CURRENT_USER()'
}

cluster_up 3
start_ledger
app="$(content shop-app)" own="$(content shop-baton)" uids="$(uid_of shop-app) $(uid_of shop-baton)"
k delete secret shop-app shop-baton >/dev/null
until_true 60 "shop-app is back as it was" is_back shop-app "$app"
until_true 60 "shop-baton is back as it was" is_back shop-baton "$own"
[ "$(uid_of shop-app) $(uid_of shop-baton)" != "$uids" ] || fail "the Secrets were never gone"
for secret in shop-app shop-baton; do
  until_true 15 "an event says that $secret was restored" event_says "$secret"
done
# Nothing changed, so nothing is rolling.
condition_is SecretsRolling False || fail "SecretsRolling: $(condition SecretsRolling message)"
until_true 15 "the password still works" log_in
writes_go_on
finish_ledger
old="$(primary)"
kill_mysqld "$old"
until_true 30 "another primary than $old" primary_is_not "$old"
until_true 60 "all members replicate and a failover is possible" healthy
until_true 15 "the password works on the new primary" log_in
until_true 60 "all members hold the same data" same_data
