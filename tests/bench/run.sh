#!/usr/bin/env bash
# Measures. Usage: tests/run.sh bench [NAME…]; RUNS=10. Without a name all of it, which takes about two hours. The machine
# should have nothing else to do. Each figure is one line:
#   <name> <median> <unit> (n=<runs>, min <x>, p99 <y>)
# On the testbed:
#   failover_kill  SIGKILL of the primary's mysqld -> first acknowledged write through the Service
#   decide         SIGKILL -> the operator's decision
#   failover_lagging  the same where both replicas have LAGGING_MB=200 MB to apply, beside the time that a replica takes
#                  to apply as much while nothing else happens, and the ratio of the two; LAGGING_RUNS=10
#   cluster_up     kubectl apply of three members -> FailoverReady
#   operator_rss   the leading operator's memory with three clusters of three
#   sidecar_rss, sidecar_cpu   the nine sidecars of those, idle for 20 s: the median of all; p99 is the largest
# Without a testbed, on logs that real mysqlds write, kept in the cache ($BATON_CACHE/bench) for the next time:
#   salvage_ready  a mysqld with BENCH_GB=20 gigabytes of logs is dead -> what they prove is known, and bytes can be
#                  sent; fewer gigabytes where 5 would not be left on the disk
#   serve          MB/s of mysqld's dump thread and of the binlog server to a client that throws away what it gets,
#                  with and without TLS, and per second of a core; SERVE_MB=1000
#   recover        MB/s of a replica that fetches what it misses from a dead primary's logs, and of
#                  `mysqlbinlog | mysql`, on the disk; a second time with relaxed durability until the end, as while
#                  others hold every byte. RECOVER_RUNS=3; BENCH_MB=100 at 100 rows a transaction, BENCH_MB_1ROW=6
#                  at one row, since mysqlbinlog takes minutes for more. RECOVER_OPTIONS: more options of the servers.
#                  RECOVER_FOLDER: another place for them; /tmp is memory
#   index          GB/s of a core that walks over logs, by headers and with checksums
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/../env/root.sh"

RUNS="${RUNS:-10}"
on_testbed="failover_kill decide failover_lagging cluster_up operator_rss sidecar_rss sidecar_cpu"
without_testbed="salvage_ready serve recover index"
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $without_testbed $on_testbed
wanted=" $* "
wants() { [[ "$wanted" == *" $1 "* ]]; }
for name in "$@"; do
  [[ " $on_testbed $without_testbed " == *" $name "* ]] || die "unknown bench '$name'; one of: $on_testbed $without_testbed"
done

# figure NAME UNIT: numbers on standard input, one a line.
figure() {
  sort -n | awk -v name="$1" -v unit="$2" '{ v[NR] = $1 } END {
    if (NR == 0) { print name " no value"; exit 1 }
    middle = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    last = int(NR * 0.99 + 0.999999); if (last > NR) last = NR
    printf "%s %g %s (n=%d, min %g, p99 %g)\n", name, middle, unit, NR, v[1], v[last] }'
}
# ratio NAME UNIT ABOVE BELOW: of the medians of two files of numbers; min and p99 are those of the pairs, in each of which
# one half may have met the disk in another mood.
ratio() {
  local medians
  medians="$(cat <(figure above x <"$3") <(figure below x <"$4") | awk '{ v[NR] = $2 } END { printf "%.3f", v[1] / v[2] }')"
  paste "$3" "$4" | awk '{ printf "%.3f\n", $1 / $2 }' | figure "$1" "$2" | awk -v value="$medians" '{ $2 = value; print }'
}
# figures: lines "<name> <value> <unit>" on standard input, any number of each name; a figure for each name.
figures() {
  local lines name unit
  lines="$(cat)"
  while read -r name unit; do
    awk -v name="$name" '$1 == name { print $2 }' <<<"$lines" | figure "$name" "$unit"
  done < <(awk '{ name = $1; $1 = $2 = ""; sub(/^ +/, ""); if (!seen[name]++) print name, $0 }' <<<"$lines")
}
milliseconds_of() { date -d "$1" +%s%3N; }

# watch_primary OLD: waits for another primary than that, by a watch: polls would take processors from what is measured.
watch_primary() {
  grep -q another < <(
    ask_api "/apis/mysql.baton.dev/v1alpha1/namespaces/$NAMESPACE/mysqlreplicationclusters?watch=true" 60 --no-buffer 2>/dev/null |
      jq --unbuffered --arg old "$1" 'select(.object.status.currentPrimary.name // $old | . != $old) | "another"'
  )
}

bench_failover() {
  local run old killed first decided values
  values="$(mktemp -d)"
  cluster_up 3
  start_ledger
  for ((run = 1; run <= RUNS; run++)); do
    old="$(primary)"
    watch_primary "$old" &
    kill_mysqld "$old"
    killed="$KILLED_AT"
    wait $! || fail "run $run: no other primary than $old within 60 s"
    writes_go_on 60
    made_whole 180
    decided="$(phase_at decided)"
    [ -n "$decided" ] || fail "run $run: no decision is told"
    first="$(first_write_since_choice)"
    echo $(($(milliseconds_of "$first") - $(milliseconds_of "$killed"))) >>"$values/failover_kill"
    echo $(($(milliseconds_of "$decided") - $(milliseconds_of "$killed"))) >>"$values/decide"
    say "run $run, ms after the kill:$(phases "$(milliseconds_of "$killed")") written $(tail -n 1 "$values/failover_kill")"
  done
  finish_ledger
  figure failover_kill ms <"$values/failover_kill"
  figure decide ms <"$values/decide"
}

# at TIME POD SCRIPT: runs it in mysqld's container at that millisecond; starting a program there takes 200 of them.
# The container's shell expands this.
# shellcheck disable=SC2016
at() { in_member "$2" 'while [ "$(date +%s%3N)" -lt "$1" ]; do :; done; '"$3" "$1"; }
client="mysql --no-defaults --socket=/run/baton/mysql/mysqld.sock --user=root --batch --skip-column-names"

# lag OLD REPLICA…: writes LAGGING_MB that the replicas receive, and cannot apply until their reader goes (release).
# With room for all of it in memory and redo log, or the disk's mood would be measured.
lag() {
  local old="$1" replica executed
  shift
  for replica in "$@"; do
    sql "$replica" "SET GLOBAL innodb_redo_log_capacity = 1 << 30"
    sql "$replica" "SET GLOBAL innodb_buffer_pool_size = 1 << 30"
    in_member "$replica" "$client -e 'LOCK TABLES app.big READ; SELECT SLEEP(3600)'" >/dev/null 2>&1 &
    until_true 30 "a reader holds $replica" has_reader "$replica"
  done
  for ((i = 0; i < LAGGING_MB / 10; i++)); do
    echo "INSERT INTO app.big (content) VALUES (REPEAT(RANDOM_BYTES(1000), 10000));"
  done | k exec -i "$old" -c mysqld -- mysql --no-defaults --socket=/run/baton/mysql/mysqld.sock --user=root
  executed="$(sql "$old" "SELECT @@gtid_executed")"
  for replica in "$@"; do until_true 120 "$replica has received it" received "$replica" "${executed//\\n/}"; done
  sync  # What the kernel has yet to write of it is not to be written while time is taken.
}
release="$client -e \"KILL \$($client -e \"SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(3600)%'\")\""
# phases SINCE: what the last failover had reached, in milliseconds since then.
phases() {
  local name at
  mrc | jq -r '.status.lastFailover.phases[] | .name + " " + .at' | while read -r name at; do
    printf ' %s %d' "$name" $(($(milliseconds_of "$at") - $1))
  done
}
has_all_rows() { [ "$(sql "$1" "SELECT COUNT(*) FROM app.big")" = "$(sql "$2" "SELECT COUNT(*) FROM app.big")" ]; }

bench_failover_lagging() {
  local run old first begin begin_alone values applied
  LAGGING_MB="${LAGGING_MB:-200}"
  values="$(mktemp -d)"
  cluster_up 3
  sql "$(primary)" "CREATE TABLE app.big (id INT PRIMARY KEY AUTO_INCREMENT, content LONGBLOB)"
  # One writer that mostly pauses: what it takes from an applier that nothing disturbs must not count.
  WRITERS=1 PAUSE=20 start_ledger
  for ((run = 1; run <= ${LAGGING_RUNS:-10}; run++)); do
    old="$(primary)"
    read -r -a others <<<"$(replicas)"
    say "run $run: a replica applies $LAGGING_MB MB by itself"
    lag "$old" "${others[@]}"
    begin_alone=$(($(date +%s%3N) + 2000))
    at "$begin_alone" "${others[1]}" "$release" &
    applied="$(at "$begin_alone" "${others[0]}" "$release; $client -e \"SELECT WAIT_FOR_EXECUTED_GTID_SET((SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status), 300)\" >/dev/null; date +%s%3N")"
    wait $!
    echo $((applied - begin_alone)) >>"$values/apply_lagging"
    until_true 120 "the other has applied it as well" has_all_rows "${others[1]}" "$old"
    say "run $run: the same while $old dies"
    lag "$old" "${others[@]}"
    begin=$(($(date +%s%3N) + 2000))
    for replica in "${others[@]}"; do at "$begin" "$replica" "$release" & done
    # shellcheck disable=SC2016
    at "$begin" "$old" 'for p in /proc/[0-9]*; do [ "$(cat "$p/comm" 2>/dev/null)" != mysqld ] || kill -9 "${p#/proc/}"; done'
    until_true 120 "run $run: another primary than $old" primary_is_not "$old"
    writes_go_on 60
    made_whole 180
    first="$(first_write_since_choice)"
    echo $(($(milliseconds_of "$first") - begin)) >>"$values/failover_lagging"
    say "run $run: applied after $((applied - begin_alone)) ms by itself; with the failover:$(phases "$begin") written $(($(milliseconds_of "$first") - begin))"
    sql "$(primary)" "TRUNCATE TABLE app.big"
  done
  finish_ledger
  figure failover_lagging ms <"$values/failover_lagging"
  figure apply_lagging ms <"$values/apply_lagging"
  ratio lagging_ratio "of the time to apply" "$values/failover_lagging" "$values/apply_lagging"
}

bench_cluster_up() {
  local run begin
  for ((run = 1; run <= RUNS; run++)); do
    k delete mrc shop --ignore-not-found --timeout=60s >/dev/null
    k delete pods,pvc -l mysql.baton.dev/cluster=shop --timeout=120s >/dev/null
    begin="$(date +%s%3N)"
    apply_cluster 3
    until_true 180 "run $run: ready for failover" healthy
    echo $(($(date +%s%3N) - begin))
  done | figure cluster_up ms
}

# sizes PROGRAM: resident memory of each process of that program, in MiB.
sizes() {
  local status
  for status in /proc/[0-9]*/status; do
    awk -v program="$1" '$1 == "Name:" { hit = $2 == substr(program, 1, 15) } $1 == "VmRSS:" && hit { printf "%.1f\n", $2 / 1024 }' "$status" 2>/dev/null
  done
}
# ticks PROGRAM: "pid ticks" of each process of that program.
ticks() {
  local stat
  for stat in /proc/[0-9]*/stat; do
    awk -v program="($(cut -c1-15 <<<"$1"))" '$2 == program { print $1, $14 + $15 }' "$stat" 2>/dev/null
  done
}

bench_sizes() {
  local name before leader sample samples=10 pause=2
  kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout=180s >/dev/null  # What was measured before this.
  for name in one two three; do
    NAMESPACE="baton-bench-$name" cluster_up 3
  done
  before="$(ticks baton-sidecar)"
  # What is measured is idle time: looks at memory every two seconds of it.
  for ((sample = 1; sample <= samples; sample++)); do
    sleep "$pause"
    leader="$(sizes baton-operator | sort -n | tail -n 1)"
    printf '%s operator_rss MiB\n' "$leader"
    sizes baton-sidecar | sed 's/$/ sidecar_rss MiB/'
  done | awk '{ print $2, $1, $3 }' | figures
  join <(sort <<<"$before") <(ticks baton-sidecar | sort) |
    awk -v hz="$(getconf CLK_TCK)" -v s="$((samples * pause))" '{ printf "%.2f\n", ($3 - $2) / hz / s * 100 }' | figure sidecar_cpu percent
  for name in one two three; do
    kubectl delete namespace "baton-bench-$name" --wait=false >/dev/null
  done
}

# ---- without a testbed

MADE="$CACHE/bench"
# bench_program NAME ARGUMENT…: in the root.
bench_program() { in_root "$BENCHES/tests/bench/$1" "${@:2}"; }

# The gigabytes of logs that there is room for: those that were made before count.
room_for_logs() {
  local wish="${BENCH_GB:-20}" free made
  mkdir -p "$MADE/large"
  free="$(df --output=avail --block-size=1000000000 "$MADE" | tail -n 1 | tr -d ' ')"
  made="$(du --summarize --block-size=1000000000 "$MADE/large" | cut -f 1)"
  local room=$((free + made - 5))
  [ "$room" -ge 1 ] || die "salvage_ready: $free GB are free on the disk of $MADE, which is too little"
  [ "$wish" -le "$room" ] || { say "salvage_ready: room for $room GB of logs, not $wish"; wish="$room"; }
  say "salvage_ready: with $wish GB of logs ($free GB of the disk are free, $made GB were made before)"
  echo "$wish"
}
bench_salvage() {
  local gigabytes
  gigabytes="$(room_for_logs)"
  bench_program salvage_bench "$MADE/large" $((gigabytes * 1000)) "$RUNS" | figures
}
bench_serve() { bench_program serve_bench "$MADE" "${SERVE_MB:-1000}" "$RUNS" | figures; }
bench_recover() {
  local folder="${RECOVER_FOLDER:-$MADE/recover}"
  mkdir -p "$folder"
  in_root env TMPDIR="$folder" "$BENCHES/tests/bench/recover_bench" "${BENCH_MB_1ROW:-6}" "${BENCH_MB:-100}" \
    "${RECOVER_RUNS:-3}" "${RECOVER_OPTIONS:-}" | figures
}
bench_index() {
  local content run shape
  for content in small large; do
    bench_program make_logs_bench "$content" 300 "$MADE/$content"
    shape="$([ "$content" = small ] && echo 390B || echo 26KB)"
    for ((run = 1; run <= RUNS; run++)); do
      in_root "$BENCHES/sidecar/tools/baton-binlog" bench "$MADE/$content/binlog.000001" |
        sed -nE "s/^(header|checksum)_walk .* per processor second ([0-9]+)\\).*/index_\\1s_$shape \\2/p" |
        awk '{ print $1, $2 / 1000, "GB/s per core" }'
    done
  done | figures
}

if wants salvage_ready || wants serve || wants recover || wants index; then
  ensure_root
  say "building what measures (about a minute)"
  BENCHES="$("$REPO/tests/env/build.sh" release benches)"
  exec {bench_lock}>"$CACHE/bench.lock"
  flock "$bench_lock"
  rm -rf "$MADE"/large-?????? "$MADE"/small-?????? "$MADE/recover"  # What a killed one left.
fi
if wants salvage_ready; then bench_salvage; fi
if wants serve; then bench_serve; fi
if wants recover; then bench_recover; fi
if wants index; then bench_index; fi

# ---- on the testbed

testbed=""
for name in $on_testbed; do
  if wants "$name"; then testbed=1; fi
done
[ -n "$testbed" ] || exit 0
bash "$here/../../e2e/up.sh"
NAMESPACE=baton-bench SCENARIO_FILE=bench
source "$here/../../e2e/scenarios/lib.sh"
if wants failover_kill || wants decide; then bench_failover; fi
if wants failover_lagging; then bench_failover_lagging; fi
if wants cluster_up; then bench_cluster_up; fi
if wants operator_rss || wants sidecar_rss || wants sidecar_cpu; then bench_sizes; fi
