#!/usr/bin/env bash
# Sets up what is missing, builds, runs tests. Usage: tests/run.sh [GROUP…]
#   unit    engine, operator and sidecar without a server, under ASan+UBSan, what has threads under TSan; rules of the repository
#   fuzz    every fuzzer for a few seconds on top of its corpus (FUZZ_SECONDS, default 5)
#   mysql   the sidecar against real mysqlds
#   e2e     a real Kubernetes, every scenario judged by the ledger (one: SCENARIO=kill-mysqld)
#   tidy    clang-tidy over every file that changed since it last passed; unit has it for the programs, without the tests
#   bench [NAME…]   measures; not part of the default
# Without a group: unit fuzz mysql e2e, with clang-tidy beside the last two, which mostly wait.
# The last line is `N passed, N failed`.
source "$(dirname "${BASH_SOURCE[0]}")/env/root.sh"

passed=0
failed=0
failures=()
RESULTS="$(mktemp -d)"
TIDY=""
clean_up() {
  [ -z "$TIDY" ] || kill -- "-$TIDY" 2>/dev/null || true
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

exhaustive() {
  local dir
  dir="$("$REPO/tests/env/build.sh" release engine_test)"
  # One worker a core; each takes every other test.
  printf '%s\n' 0 1 | in_root xargs -P 2 -I{} env GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX={} \
    "$dir/tests/engine/engine_test" --gtest_brief=1 --gtest_filter='Exhaustive.*'
}

group_unit() {
  check "repository rules" bash "$REPO/tests/tidy/rules.sh"
  check "chart and manifests" bash "$REPO/tests/helm/check.sh"
  # Every fault at every point of a failover: too many worlds for sanitizers, and the engine has neither threads nor bytes.
  run_ctest asan unit unit_tests '^Exhaustive'
  check "every one and two faults at every point of a failover (3 minutes)" exhaustive
  run_ctest tsan unit threaded_tests
}

group_tidy() { check "clang-tidy" bash "$REPO/tests/tidy/clang_tidy.sh" all; }

# clang-tidy beside other groups: it needs cores, they need time.
tidy_begin() {
  say "clang-tidy runs beside what follows (from an empty cache ten minutes)"
  # A group of its own, so that an end takes all of it.
  setsid nice -n 19 bash "$REPO/tests/tidy/clang_tidy.sh" >"$RESULTS/tidy.log" 2>&1 &
  TIDY=$!
}
tidy_end() {
  [ -n "$TIDY" ] || return 0
  local status=0
  say "waiting for clang-tidy"
  wait "$TIDY" || status=$?
  TIDY=""
  [ "$status" = 0 ] || tail -n 60 "$RESULTS/tidy.log" >&2
  say "$([ "$status" = 0 ] && echo pass || echo FAIL) clang-tidy"
  count "clang-tidy" "$status"
}

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

groups=()
for word in "$@"; do
  case "$word" in
    unit | fuzz | mysql | e2e | tidy) groups+=("$word") ;;
    bench) shift; exec bash "$REPO/tests/bench/run.sh" "$@" ;;
    *) die "unknown group '$word'; one of: unit fuzz mysql e2e tidy bench" ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(unit fuzz mysql e2e)
wanted=" ${groups[*]} "

ensure_root
for group in "${groups[@]}"; do
  begin=$SECONDS
  say "== $group"
  [[ "$wanted" != *" unit "* || "$group" != mysql ]] || tidy_begin
  "group_$group"
  say "== $group took $((SECONDS - begin)) s"
done
[[ "$wanted" != *" unit "* || "$wanted" == *" mysql "* ]] || tidy_begin
tidy_end
for name in ${failures[@]+"${failures[@]}"}; do say "failed: $name"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
