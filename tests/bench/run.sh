#!/usr/bin/env bash
# Measures on the testbed. Usage: tests/run.sh bench [NAME…]; RUNS=10. Each figure is one line:
#   <name> <median> <unit> (n=<runs>, min <x>, p99 <y>)
#   failover_kill  SIGKILL of the primary's mysqld -> first acknowledged write through the Service
#   decide         SIGKILL -> the operator's decision
#   cluster_up     kubectl apply of three members -> FailoverReady
#   operator_rss   the leading operator's memory with three clusters of three
#   sidecar_rss, sidecar_cpu   the largest sidecar of those, idle for 20 s
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bash "$here/../../e2e/up.sh"
NAMESPACE=baton-bench SCENARIO_FILE=bench
source "$here/../../e2e/scenarios/lib.sh"

RUNS="${RUNS:-10}"
[ $# -gt 0 ] || set -- failover_kill cluster_up operator_rss
wanted=" $* "
wants() { [[ "$wanted" == *" $1 "* ]]; }

# figure NAME UNIT: numbers on standard input, one a line.
figure() {
  sort -n | awk -v name="$1" -v unit="$2" '{ v[NR] = $1 } END {
    if (NR == 0) { print name " no value"; exit 1 }
    middle = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    last = int(NR * 0.99 + 0.999999); if (last > NR) last = NR
    printf "%s %g %s (n=%d, min %g, p99 %g)\n", name, middle, unit, NR, v[1], v[last] }'
}
milliseconds_of() { date -d "$1" +%s%3N; }

bench_failover() {
  local run old killed first decided chosen values
  values="$(mktemp -d)"
  cluster_up 3
  start_ledger
  for ((run = 1; run <= RUNS; run++)); do
    old="$(primary)"
    kill_mysqld "$old"
    killed="$KILLED_AT"
    until_true 60 "run $run: another primary than $old" primary_is_not "$old"
    writes_go_on 60
    made_whole 180
    decided="$(mrc | jq -r '.status.lastFailover.phases[] | select(.name == "decided") | .at')"
    chosen="$(mrc | jq -r '.status.lastFailover.phases[] | select(.name == "chosen") | .at')"
    # The write that ended the gap of this kill: what was on its way to a client at the kill is read long before the choice.
    first="$(k logs ledger | sed -nE 's/^gap: .* to (.*)$/\1/p' | awk -v chosen="$chosen" '$0 > chosen { print; exit }')"
    [ -n "$first" ] || fail "run $run: the ledger saw no gap"
    echo $(($(milliseconds_of "$first") - $(milliseconds_of "$killed"))) >>"$values/failover_kill"
    echo $(($(milliseconds_of "$decided") - $(milliseconds_of "$killed"))) >>"$values/decide"
  done
  finish_ledger
  figure failover_kill ms <"$values/failover_kill"
  figure decide ms <"$values/decide"
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
  local name before second=20
  for name in one two three; do
    NAMESPACE="baton-bench-$name" cluster_up 3
  done
  before="$(ticks baton-sidecar)"
  sleep "$second"
  sizes baton-operator | sort -n | tail -n 1 | figure operator_rss MiB
  sizes baton-sidecar | figure sidecar_rss MiB
  join <(sort <<<"$before") <(ticks baton-sidecar | sort) |
    awk -v hz="$(getconf CLK_TCK)" -v s="$second" '{ printf "%.2f\n", ($3 - $2) / hz / s * 100 }' | figure sidecar_cpu percent
  for name in one two three; do
    kubectl delete namespace "baton-bench-$name" --wait=false >/dev/null
  done
}

if wants failover_kill || wants decide; then bench_failover; fi
if wants cluster_up; then bench_cluster_up; fi
if wants operator_rss || wants sidecar_rss || wants sidecar_cpu; then bench_sizes; fi
