# shellcheck shell=bash
# What scenarios share. Each scenario has a namespace and a cluster of its own in the common Kubernetes, and the ledger
# as its judge. To be sourced as the first thing; cleans up when the scenario ends, and tells what it saw when it fails.
# With a KUBECONFIG of the user's (BATON_E2E_EXTERNAL=1, set by demo.sh) nothing of the testbed is touched.

SCENARIO_NAME="$(basename "${SCENARIO_FILE:-$0}" .sh)"
if [ -n "${BATON_E2E_EXTERNAL:-}" ]; then
  source "$(dirname "${BASH_SOURCE[0]}")/../../tests/env/common.sh"
else
  source "$(dirname "${BASH_SOURCE[0]}")/../cluster/env.sh"
fi
need_packages jq=jq curl=curl

NAMESPACE="${NAMESPACE:-$(tr '_.' '--' <<<"e2e-$SCENARIO_NAME")}"
IMAGE_PREFIX="${IMAGES:-docker.io/local/}"
MYSQL_IMAGE="${MYSQL_IMAGE:-${IMAGE_PREFIX}mysql:9.7}"
LEDGER_IMAGE="${LEDGER_IMAGE:-${IMAGE_PREFIX}baton-ledger:dev}"

k() { kubectl --namespace "$NAMESPACE" "$@"; }

# get PATH: what the API server has there, as JSON or text. What is asked again and again while waiting is asked this way:
# kubectl takes a seventh of a second of a processor to begin with, curl a tenth of that.
if [ -n "${BATON_E2E_EXTERNAL:-}" ]; then
  get() { kubectl get --raw "$1"; }
else
  # ask_api PATH SECONDS [OPTION…]: at most so long, with options of curl.
  ask_api() {
    curl --silent --show-error --fail --cacert "$STATE/pki/ca.crt" --cert "$STATE/pki/admin.crt" --key "$STATE/pki/admin.key" \
      --max-time "$2" "${@:3}" "$API_SERVER$1"
  }
  get() { ask_api "$1" 10; }
fi

# fail SENTENCE: ends the scenario.
fail() { say "FAIL: $*"; exit 1; }

# until_true SECONDS WHAT COMMAND…: waits for a condition; fails when it does not come.
until_true() {
  local limit="$1" what="$2" begin=$SECONDS look=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $((SECONDS - begin)) -lt "$limit" ] || fail "$what: not within $limit s"
    look=$((look + 1))
    sleep "$([ "$look" -lt 20 ] && echo 0.1 || echo 0.4)"
  done
  say "$what"
}

mrc() { get "/apis/mysql.baton.dev/v1alpha1/namespaces/$NAMESPACE/mysqlreplicationclusters/${1:-shop}"; }
# field EXPRESSION [CLUSTER]: of the resource's JSON, by jq.
field() { mrc "${2:-shop}" | jq -r "$1 // \"\""; }
condition() { field ".status.conditions[]? | select(.type == \"$1\") | .$2" "${3:-shop}"; }
condition_is() { [ "$(condition "$1" status "${3:-shop}")" = "$2" ]; }
primary() { field .status.currentPrimary.name "${1:-shop}"; }
primary_is_not() { local now; now="$(primary)"; [ -n "$now" ] && [ "$now" != "$1" ]; }
healthy() {
  [ "$(field '.status | .state + (.conditions[]? | select(.type == "FailoverReady") | .status)' "${1:-shop}")" = HealthyTrue ]
}
state_is() { [ "$(field .status.state)" = "$1" ]; }

# errant_member: the pod that is set aside, if one is.
errant_member() { field '[.status.members[]? | select((.errant // "") != "") | .name][0]'; }
healthy_or_errant() { healthy || [ -n "$(errant_member)" ]; }
claim_is_new() { local now; now="$(get "/api/v1/namespaces/$NAMESPACE/persistentvolumeclaims/data-$1" | jq -r .metadata.uid)"; [ -n "$now" ] && [ "$now" != "$2" ]; }

# rebuild POD: what its condition tells a person to do: delete its claim and its pod.
rebuild() {
  local claim
  claim="$(k get pvc "data-$1" -o jsonpath='{.metadata.uid}')"
  k delete pvc "data-$1" --wait=false >/dev/null
  k delete pod "$1" --wait=false >/dev/null
  until_true 120 "$1 has a new volume" claim_is_new "$1" "$claim"
}

errant_is_not() { [ "$(errant_member)" != "$1" ]; }

# made_whole SECONDS: waits until all members replicate. A killed primary may hold a tail that nobody acknowledged and
# nobody else has; it is then set aside, and rebuilt here as a person would do it.
made_whole() {
  local aside round
  for round in 1 2 3; do
    until_true "$1" "the cluster is whole again, or a member is set aside" healthy_or_errant
    aside="$(errant_member)"
    [ -n "$aside" ] || return 0
    say "round $round: $(condition ErrantMembers message)"
    condition_is ErrantMembers True || fail "ErrantMembers is not True"
    rebuild "$aside"
    until_true 120 "$aside is not errant any more" errant_is_not "$aside"
  done
  until_true "$1" "the cluster is whole again" healthy
}

# The namespace of a run before this one may be about to go.
namespace_goes() { [ "$(get "/api/v1/namespaces/$NAMESPACE" 2>/dev/null | jq -r .status.phase)" = Terminating ]; }

# apply_cluster [REPLICAS] [EXTRA YAML under spec, indented by two]: the sample, small. CONFIG: further mysql.config.
apply_cluster() {
  local replicas="${1:-3}" extra="${2:-}"
  if namespace_goes; then kubectl wait --for=delete "namespace/$NAMESPACE" --timeout=120s >/dev/null; fi
  kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  k apply -f - >/dev/null <<YAML
apiVersion: mysql.baton.dev/v1alpha1
kind: MySQLReplicationCluster
metadata: {name: shop}
spec:
  replicas: $replicas
  image: $MYSQL_IMAGE
  storage: {size: 1Gi}
  mysql: {config: {innodb_buffer_pool_size: 64M, innodb_redo_log_capacity: 32M${CONFIG:+, $CONFIG}}}
$extra
YAML
}

cluster_up() {
  say "applying a cluster of ${1:-3} (about half a minute)"
  apply_cluster "$@"
  if [ "${1:-3}" = 1 ]; then
    until_true 180 "the cluster of one is open" condition_is Ready True
  else
    until_true 180 "all members replicate and a failover is possible" healthy
  fi
}

# start_ledger: a client that writes through the primary Service and remembers every acknowledged row.
start_ledger() {
  local name="${1:-ledger}"
  k delete pod "$name" --ignore-not-found --wait >/dev/null
  k apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $name}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  containers:
  - name: ledger
    image: $LEDGER_IMAGE
    imagePullPolicy: ${PULL_POLICY:-Never}
    args: ["--writers", "${WRITERS:-4}", "--pause", "${PAUSE:-2}"]
    env:
    - {name: MYSQL_HOST, value: shop-primary}
    - {name: MYSQL_USER, valueFrom: {secretKeyRef: {name: shop-app, key: user}}}
    - {name: MYSQL_PWD, valueFrom: {secretKeyRef: {name: shop-app, key: password}}}
    - {name: MYSQL_DATABASE, valueFrom: {secretKeyRef: {name: shop-app, key: database}}}
    volumeMounts: [{name: tmp, mountPath: /tmp}]
  volumes: [{name: tmp, emptyDir: {}}]
YAML
  until_true 60 "rows are being acknowledged" ledger_beyond 100 "$name"
}

# acknowledged [NAME]: how many rows so far.
acknowledged() { get "/api/v1/namespaces/$NAMESPACE/pods/${1:-ledger}/log?tailLines=3" | sed -nE 's/^acknowledged ([0-9]+)$/\1/p' | tail -n 1; }
ledger_beyond() { [ "$(acknowledged "${2:-ledger}")" -gt "$1" ]; }
# writes_go_on: more rows are acknowledged than now.
writes_go_on() {
  local now
  now="$(acknowledged)"
  until_true "${1:-60}" "writes go on" ledger_beyond "$((now + 50))"
}

# phase_at NAME: when the last failover reached that phase.
phase_at() { field ".status.lastFailover.phases[] | select(.name == \"$1\") | .at"; }
# first_write_since_choice: when the first write was acknowledged since the last failover's choice, by the gap that it
# ended: what was on its way to a client at the kill is read long before.
first_write_since_choice() {
  local chosen first
  chosen="$(phase_at chosen)"
  [ -n "$chosen" ] || fail "the last failover tells of no choice"
  first="$(k logs ledger | sed -nE 's/^gap: .* to (.*)$/\1/p' | awk -v chosen="$chosen" '!found && $0 > chosen { print; found = 1 }')"
  [ -n "$first" ] || fail "the ledger saw no gap that ended after the choice at $chosen"
  echo "$first"
}

# finish_ledger: stops it, prints its words, and fails if a row was lost. VERDICT is its last line.
finish_ledger() {
  local name="${1:-ledger}"
  k exec "$name" -- /usr/bin/baton-ledger stop
  until_true 90 "the ledger has read all rows back" ledger_done "$name"
  k logs "$name" | grep -v '^acknowledged' >&2
  VERDICT="$(k logs "$name" --tail=1)"
  [[ "$VERDICT" == "ledger: acknowledged "*", lost 0, longest gap "* ]] || { echo "$VERDICT"; fail "the ledger's verdict: $VERDICT"; }
}
# longest_gap [NAME]: milliseconds of the longest time without an acknowledged write that is over; nothing below 50.
longest_gap() { k logs "${1:-ledger}" | sed -nE 's/^gap: ([0-9]+) ms .*/\1/p' | sort -n | tail -n 1; }
ledger_done() { [[ "$(get "/api/v1/namespaces/$NAMESPACE/pods/${1:-ledger}" | jq -r .status.phase)" =~ ^(Succeeded|Failed)$ ]]; }

# kill_mysqld POD: SIGKILL; sets KILLED_AT to the moment just before, RFC 3339 with milliseconds.
kill_mysqld() {
  # The shell inside the container expands these.
  # shellcheck disable=SC2016
  KILLED_AT="$(k exec "$1" -c mysqld -- bash -c 'for p in /proc/[0-9]*; do
    if [ "$(cat "$p/comm" 2>/dev/null)" = mysqld ]; then date -u +%FT%T.%3NZ; kill -9 "${p#/proc/}"; exit 0; fi; done; exit 1')" ||
    fail "no mysqld runs in $1"
  say "killed mysqld of $1 at $KILLED_AT"
}

# process_of UID PROGRAM: the pid on this machine of a program in the pod with that uid. For what must happen within
# milliseconds, or while there is no API server.
process_of() {
  local folder
  for folder in /proc/[0-9]*; do
    [ "$(cat "$folder/comm" 2>/dev/null)" = "$2" ] || continue
    grep -q "pod$1" "$folder/cgroup" 2>/dev/null || continue
    echo "${folder#/proc/}"
    return 0
  done
  return 1
}
# uid_of NAMESPACE POD
uid_of() { kubectl --namespace "$1" get pod "$2" -o jsonpath='{.metadata.uid}'; }

# in_member POD SCRIPT [ARGUMENT…]: by the shell of mysqld's container.
in_member() { local pod="$1" script="$2"; shift 2; k exec "$pod" -c mysqld -- bash -c "$script" in_member "$@"; }

# Without an operator nobody repairs what a scenario breaks, until it is brought back. For scenarios that run alone.
operator_pods() { kubectl --namespace baton-system get pods -l app.kubernetes.io/name=baton -o name; }
no_operator() { [ -z "$(operator_pods)" ]; }
operator_away() {
  kubectl --namespace baton-system scale deployment/baton --replicas=0 >/dev/null
  until_true 60 "the operator is away" no_operator
}
operator_back() { kubectl --namespace baton-system scale deployment/baton --replicas=2 >/dev/null; say "the operator comes back"; }

# The identity of the process that leads: <pod>_<random>.
leader() { kubectl --namespace baton-system get lease baton-operator -o jsonpath='{.spec.holderIdentity}'; }
# Where clients are sent, by whose word, in which epoch.
endpoint() { k get service shop-primary -o json | jq -cS '[.spec.selector, .metadata.annotations]'; }

replicas() { k get pods -l mysql.baton.dev/role=replica -o jsonpath='{.items[*].metadata.name}'; }

# signal_mysqld POD SIGNAL
# The shell inside the container expands these.
# shellcheck disable=SC2016
signal_mysqld() { in_member "$1" 'for p in /proc/[0-9]*; do [ "$(cat "$p/comm" 2>/dev/null)" != mysqld ] || kill "$1" "${p#/proc/}"; done' "$2"; }

# survives_a_kill: mysqld of the primary is killed, another takes over, writes go on, and all is whole again; the ledger's
# verdict comes after that.
survives_a_kill() {
  local old
  old="$(primary)"
  kill_mysqld "$old"
  until_true 30 "another primary than $old" primary_is_not "$old"
  writes_go_on 30
  made_whole 120
  finish_ledger
}

# sql POD STATEMENT: over the unix socket, as the server's own administrator.
sql() { k exec "$1" -c mysqld -- mysql --no-defaults --socket=/run/baton/mysql/mysqld.sock --user=root --batch --skip-column-names -e "$2"; }

# received POD SET: it has executed or received all of the set.
received() {
  [ "$(sql "$1" "SELECT GTID_SUBSET('$2', CONCAT(@@gtid_executed, ',', RECEIVED_TRANSACTION_SET)) FROM performance_schema.replication_connection_status")" = 1 ]
}

# A reader that locks the ledger's table on a replica, whose applier waits for it. It stays when kubectl ends.
reader_of() { sql "$1" "SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_INFO='SELECT SLEEP(3600)'"; }
has_reader() { [ -n "$(reader_of "$1")" ]; }
# backlog POD: transactions that it has received and not applied. Of one primary: a set with one interval.
backlog() {
  sql "$1" "SELECT GTID_SUBTRACT(RECEIVED_TRANSACTION_SET, @@gtid_executed) FROM performance_schema.replication_connection_status" |
    awk -F '[:-]' '{ print(NF > 6 ? $7 - $6 + 1 : NF > 5) }'
}
lags() { [ "$(backlog "$1")" -gt "$2" ]; }
# hold_up POD TRANSACTIONS: until it is so far behind.
hold_up() {
  sql "$1" "LOCK TABLES app.ledger READ; SELECT SLEEP(3600)" >/dev/null 2>&1 &
  until_true 30 "$1 has a reader that locks the table" has_reader "$1"
  until_true 120 "$1 is $2 transactions behind" lags "$1" "$2"
}
# let_go POD: of its reader, if it is still there.
let_go() { reader_of "$1" | while read -r id; do sql "$1" "KILL $id"; done; }

# same_data: every member has the same rows and GTID set.
same_data() {
  local pod first="" now
  for pod in $(k get pods -l mysql.baton.dev/cluster=shop -o name); do
    now="$(sql "${pod#pod/}" "SELECT @@gtid_executed, COUNT(*), SUM(CRC32(CONCAT(writer, '-', number))) FROM app.ledger")" || return 1
    [ -z "$first" ] || [ "$first" = "$now" ] || return 1
    first="$now"
  done
  [ -n "$first" ]
}

tell() {
  say "what was seen:"
  k get mrc,pods,statefulsets,services -o wide >&2 || true
  mrc | jq .status >&2 || true
  k get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 40 >&2 || true
  kubectl --namespace baton-system logs -l app.kubernetes.io/name=baton --tail=60 --prefix >&2 || true
  local pod
  for pod in $(k get pods -l mysql.baton.dev/cluster=shop -o name); do
    say "-- $pod"
    k logs "$pod" -c sidecar --tail=25 >&2 || true
    k logs "$pod" -c mysqld --tail=12 >&2 || true
  done
}

# at_end: a scenario that changes more than its namespace defines this anew, to put things back.
at_end() { :; }

clean_up() {
  local status=$?
  at_end || status=1
  [ "$status" = 0 ] || tell
  if [ -z "${KEEP:-}" ]; then
    k delete mrc --all --timeout=60s >/dev/null 2>&1 || true
    kubectl delete namespace "$NAMESPACE" --wait=false >/dev/null 2>&1 || true
  fi
  exit "$status"
}
trap clean_up EXIT
