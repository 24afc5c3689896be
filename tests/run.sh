#!/usr/bin/env bash
# Sets up what is missing, builds, runs tests. Usage: tests/run.sh [GROUP…]
#   unit    engine, operator and sidecar without a server, under ASan+UBSan, what has threads under TSan; rules of the repository;
#           clang-tidy over the programs
#   fuzz    every fuzzer for a few seconds on top of its corpus (FUZZ_SECONDS, default 5)
#   mysql   the sidecar against real mysqlds
#   e2e     a real Kubernetes, every scenario judged by the ledger (one: SCENARIO=kill-mysqld)
#   tidy    clang-tidy over every file that changed since it last passed, tests included
#   bench [NAME…]   measures; not part of the default
# Without a group: three lanes at once, since mysql and e2e mostly wait and the others compute; each line tells its lane.
# The last line is `N passed, N failed`.
source "$(dirname "${BASH_SOURCE[0]}")/env/root.sh"

passed=0
failed=0
failures=()
RESULTS="$(mktemp -d)"
LANES=()
clean_up() {
  for lane in ${LANES[@]+"${LANES[@]}"}; do kill -- "-$lane" 2>/dev/null || true; done
  rm -rf "$RESULTS"
}
trap clean_up EXIT

# count NAME STATUS: one check more.
count() {
  if [ "$2" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); failures+=("$1"); fi
}

# check NAME COMMAND…: a command that passes or fails as a whole; its output is shown when it fails.
check() {
  local name="$1" log="$RESULTS/check.log" begin=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 60 "$log" >&2
  say "$([ "$status" = 0 ] && echo pass || echo FAIL) $name ($((SECONDS - begin)) s)"
  count "$name" "$status"
}

# run_ctest VARIANT LABEL [TARGET [EXCEPT]]: builds the tests of a label and counts each, but those whose name matches EXCEPT.
run_ctest() {
  local variant="$1" label="$2" dir report begin=$SECONDS failed_here=0 total
  say "building $label tests, $variant (from an empty cache several minutes)"
  if ! dir="$("$REPO/tests/env/build.sh" "$variant" "${3:-${label}_tests}")"; then
    count "build of $label tests ($variant)" 1
    return 0
  fi
  report="$dir/$label.xml"
  rm -f "$report"
  in_root env LSAN_OPTIONS="suppressions=$REPO/tests/env/lsan.supp" TSAN_OPTIONS="suppressions=$REPO/tests/env/tsan.supp" \
    BATON_DATA_TEMPLATE=/tmp/baton-data \
    ctest --test-dir "$dir" --label-regex "^$label\$" --exclude-regex "${4:-^\$}" --output-on-failure --timeout 300 --parallel 2 \
    --output-junit "$report" >"$RESULTS/ctest.log" 2>&1 || failed_here=1
  [ "$failed_here" = 0 ] || grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$RESULTS/ctest.log" | tail -n 200 >&2
  total="$(sed -nE 's/.*<testsuite[^>]* tests="([0-9]+)".*/\1/p;/<testsuite/{n;s/.*tests="([0-9]+)".*/\1/p}' "$report" 2>/dev/null | head -n 1)"
  local bad
  bad="$(grep -cE '<testcase .*status="(fail|disabled|notrun)"' "$report" 2>/dev/null || true)"
  if [ -z "${total:-}" ] || [ "$total" = 0 ]; then
    count "$label tests ($variant): none was run" 1
    return 0
  fi
  passed=$((passed + total - bad))
  failed=$((failed + bad))
  [ "$bad" = 0 ] || while read -r name; do failures+=("$variant: $name"); done < <(
    grep -E '<testcase .*status="(fail|disabled|notrun)"' "$report" | sed -nE 's/.* name="([^"]*)".*/\1/p;s/^\s*<testcase name="([^"]*)".*/\1/p' | sort -u)
  say "$label tests, $variant: $((total - bad)) passed, $bad failed ($((SECONDS - begin)) s)"
}

# Whole worlds, a failover at every point of them: too many for sanitizers, and the engine has neither threads nor bytes.
# It has no clock and no chance either: what passed once passes with every run of the same program over
# the same transcripts.
exhaustive() {
  local dir passed_before
  dir="$("$REPO/tests/env/build.sh" release engine_test)" || return 1
  passed_before="$CACHE/passed/worlds-$(hash_of "$dir/tests/engine/engine_test" "$REPO"/tests/golden/scenarios/*.txt)"
  [ ! -e "$passed_before" ] || { echo "this very program has passed these transcripts before"; return 0; }
  # One worker a core; each takes every other test.
  printf '%s\n' 0 1 | in_root xargs -P 2 -I{} env GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX={} \
    "$dir/tests/engine/engine_test" --gtest_brief=1 --gtest_filter='Exhaustive.*:*/Interruption.*' || return 1
  mkdir -p "$CACHE/passed"
  touch "$passed_before"
}

group_unit() {
  check "repository rules" bash "$REPO/tests/tidy/rules.sh"
  run_ctest asan unit unit_tests '^Exhaustive|/Interruption'
  check "every one and two faults at every point of a failover (3 minutes, once)" exhaustive
  run_ctest tsan unit threaded_tests
  check "chart and manifests" bash "$REPO/tests/helm/check.sh"
  check "clang-tidy of the programs (from an empty cache four minutes)" bash "$REPO/tests/tidy/clang_tidy.sh"
}

group_tidy() { check "clang-tidy" bash "$REPO/tests/tidy/clang_tidy.sh" all; }

group_fuzz() {
  local dir target
  say "building the fuzzers (about a minute)"
  dir="$("$REPO/tests/env/build.sh" fuzz fuzzers)" || { count "build of the fuzzers" 1; return 0; }
  for target in "$REPO"/tests/fuzz/fuzz_*.cc; do
    target="$(basename "$target" .cc)"
    mkdir -p "$CACHE/fuzz/$target"
    check "$target, ${FUZZ_SECONDS:-5} s" in_root "$dir/tests/fuzz/$target" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=10 \
      -rss_limit_mb=2048 -artifact_prefix="$CACHE/fuzz/$target-" "$CACHE/fuzz/$target" "$REPO/tests/fuzz/corpus/$target"
  done
}

group_mysql() { run_ctest release mysql; }

contract() {
  local dir
  dir="$("$REPO/tests/env/build.sh" release kube_contract_test)"
  in_root env BATON_TEST_KUBECONFIG="$CACHE/cluster/kubeconfig" "$dir/tests/kube/kube_contract_test" --gtest_brief=1
}

# run_scenario FILE: says how it ended, with what it saw if it failed; the status goes into a file.
run_scenario() {
  local name begin=$SECONDS status=0
  name="$(basename "$1" .sh)"
  timeout 600 bash "$1" >"$RESULTS/$name.log" 2>&1 || status=$?
  { [ "$status" = 0 ] || { grep '^\[ *[0-9]*s\]' "$RESULTS/$name.log"; tail -n 120 "$RESULTS/$name.log"; }; } >&2
  say "$([ "$status" = 0 ] && echo pass || echo FAIL) e2e $name ($((SECONDS - begin)) s)"
  echo "$status" >"$RESULTS/$name.status"
}

# run_scenarios LANES FILE…: so many at once; each waits more than it works, and has a namespace of its own.
run_scenarios() {
  local lanes="$1" scenario name
  shift
  [ $# -gt 0 ] || return 0
  export -f run_scenario say
  export RESULTS
  # shellcheck disable=SC2016
  printf '%s\n' "$@" | xargs -P "$lanes" -I{} bash -c 'run_scenario "$1"' run_scenario {}
  for scenario in "$@"; do
    name="$(basename "$scenario" .sh)"
    count "e2e $name" "$(cat "$RESULTS/$name.status" 2>/dev/null || echo 1)"
  done
}

group_e2e() {
  local scenario name before=$failed alone=() together=()
  check "cluster, images, operator" bash "$REPO/e2e/up.sh"
  [ "$failed" = "$before" ] || { say "the testbed is not up: no scenario can run"; return 0; }
  [ -n "${SCENARIO:-}" ] || check "contract with the API server" contract
  for scenario in "$REPO"/e2e/scenarios/[0-9]*.sh; do
    name="$(basename "$scenario" .sh)"
    [ -z "${SCENARIO:-}" ] || [[ "$name" == *"$SCENARIO"* ]] || continue
    if grep -q '^# Runs alone' "$scenario"; then alone+=("$scenario"); else together+=("$scenario"); fi
  done
  run_scenarios 2 ${together[@]+"${together[@]}"}
  run_scenarios 1 ${alone[@]+"${alone[@]}"}
  [ -n "${KEEP:-}" ] || bash "$REPO/e2e/cluster/cluster.sh" down
}

# lane NICE NAME GROUP…: these groups in a session of their own, beside what follows. Where the kernel shares processor
# time between sessions first, that has a nice value too.
lane() {
  local nice="$1" name="$2" log="$RESULTS/lane-$2.log"
  shift 2
  # shellcheck disable=SC2016
  setsid nice -n "$nice" bash -c 'log="$1" name="$2" nice="$3"; shift 3
    { echo "$nice" >/proc/self/autogroup; } 2>/dev/null || true
    bash "$@" 2>&1 | tee "$log" | sed -u "s/^/$name: /" >&2' \
    lane "$log" "$name" "$nice" "${BASH_SOURCE[0]}" "$@" &
  LANES+=($!)
}
# lane_end NAME: adds what it counted.
lane_end() {
  local last log="$RESULTS/lane-$1.log"
  last="$(tail -n 1 "$log" 2>/dev/null || true)"
  if [[ ! "$last" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    count "$1: did not get to its end" 1
    return 0
  fi
  passed=$((passed + BASH_REMATCH[1]))
  failed=$((failed + BASH_REMATCH[2]))
  while read -r name; do failures+=("$1: $name"); done < <(sed -nE 's/^\[ *[0-9]+s\] failed: //p' "$log")
}
all_groups() {
  say "building the programs (from an empty cache five minutes)"
  "$REPO/tests/env/build.sh" release programs >/dev/null || true # The lanes say what is wrong.
  say "three lanes at once: unit with fuzz, mysql, e2e (from an empty cache most of an hour)"
  # The longest way goes first: what e2e compiles, it has compiled before the others take their half, and later it waits.
  lane 0 e2e e2e
  lane 10 mysql mysql
  lane 10 unit unit fuzz
  wait "${LANES[@]}" || true
  LANES=()
  lane_end unit
  lane_end mysql
  lane_end e2e
}

groups=()
for word in "$@"; do
  case "$word" in
    unit | fuzz | mysql | e2e | tidy) groups+=("$word") ;;
    bench) shift; exec bash "$REPO/tests/bench/run.sh" "$@" ;;
    *) die "unknown group '$word'; one of: unit fuzz mysql e2e tidy bench" ;;
  esac
done

ensure_root
[ ${#groups[@]} -gt 0 ] || all_groups
for group in ${groups[@]+"${groups[@]}"}; do
  begin=$SECONDS
  say "== $group"
  "group_$group"
  say "== $group took $((SECONDS - begin)) s"
done
for name in ${failures[@]+"${failures[@]}"}; do say "failed: $name"; done
say "all of it took $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
