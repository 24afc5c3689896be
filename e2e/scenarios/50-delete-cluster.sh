#!/usr/bin/env bash
# Five members come up. Deleting the resource removes what was made for it and keeps the volumes; applying it again adopts
# them, with all rows.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

nothing_left() { [ -z "$(k get statefulsets,services,pods,poddisruptionbudgets -l mysql.baton.dev/cluster=shop -o name)" ]; }
rows() { sql "$(primary)" "SELECT COUNT(*) FROM app.ledger"; }

cluster_up 5
start_ledger
finish_ledger
before="$(rows)"
k delete mrc shop --timeout=60s >/dev/null
until_true 120 "what was made for it is gone" nothing_left
[ "$(k get pvc -o name | wc -l)" = 5 ] || fail "volumes are gone"
cluster_up 5
[ "$(rows)" = "$before" ] || fail "there were $before rows and are $(rows)"
