#!/usr/bin/env bash
# Sets up what is missing, builds, runs tests. Usage: tests/run.sh [GROUP…]
#   unit    engine, operator and sidecar without a server, in two halves, each also by its name:
#           sanitizers: under ASan+UBSan, what has threads under TSan
#           checks: whole worlds of the engine, rules of the repository, the chart, clang-tidy over the programs
#   fuzz    every fuzzer for a few seconds on top of its corpus (FUZZ_SECONDS, default 5)
#   mysql   the sidecar against real mysqlds
#   e2e     a real Kubernetes, every scenario judged by the ledger (one: SCENARIO=kill-mysqld)
#   tidy    clang-tidy over every file that changed since it last passed, tests included
#   bench [NAME…]   measures; not part of the default
# Without a group: all but tidy, in lanes, since mysql and e2e mostly wait and the others compute; each line tells its lane.
# What needs minutes and has passed with the very same programs and files counts as passed, and says so; AGAIN=1 runs it again.
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

# count NAME STATUS [WHY]: one check more.
count() {
  if [ "$2" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); failures+=("$1${3:+: $3}"); fi
}
# Why, for the list at the end, which stands far from where it happened.
# failure_of LOG TEST: the place of a test's first failure, and what it says in its first line.
failure_of() {
  awk -v test="$2" '
    /^\[ RUN / { place = "" }
    place == "" && /: Failure$/ { place = $0; getline; what = $0 }
    /^\[  FAILED  \] / {
      name = $4
      sub(/,$/, "", name)
      if (name == test && place != "") { print ": " place ": " what; exit }
      place = ""
    }' "$1" | cut -c 1-300
}
# last_line_of FILE [PATTERN]
last_line_of() { grep -E "${2:-.}" "$1" 2>/dev/null | tail -n 1 | cut -c 1-300 || true; }

# Of what has passed: the name says with which programs and files, the content how many tests. Neither believed nor
# written when the caller's settings make the tests others than programs and files say.
OTHERWISE="${PREBUILT:-}${IMAGES:-}${MYSQL_IMAGE:-}${LEDGER_IMAGE:-}${PULL_POLICY:-}${BATON_E2E_EXTERNAL:-}${NODES:-}"
OTHERWISE+="${CONFIG:-}${WRITERS:-}${PAUSE:-}${MEGABYTES:-}${BATON_SEED:-}${BATON_CUTS:-}${GTEST_FILTER:-}"
has_passed() { [ -z "${AGAIN:-}$OTHERWISE" ] && [ -n "$1" ] && [ -f "$CACHE/passed/$1" ]; }
# remember KEY STATUS [TESTS]: what has failed is forgotten, though it may have passed with the very same before.
remember() {
  [ -n "$1" ] || return 0
  if [ "$2" != 0 ]; then rm -f "$CACHE/passed/$1"; return 0; fi
  [ -z "$OTHERWISE" ] || return 0
  mkdir -p "$CACHE/passed"
  echo "${3:-1}" >"$CACHE/passed/$1.new"
  mv "$CACHE/passed/$1.new" "$CACHE/passed/$1"
}

# check NAME COMMAND…: a command that passes or fails as a whole; its output is shown when it fails.
check() {
  local name="$1" log="$RESULTS/check.log" begin=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 60 "$log" >&2
  say "$([ "$status" = 0 ] && echo pass || echo FAIL) $name ($((SECONDS - begin)) s)"
  count "$name" "$status" "$(last_line_of "$log")"
}

# cases REPORT: a line `ok NAME` or `bad NAME` for each test of a report of CTest or GoogleTest. Skipped is bad.
cases() {
  awk '
    function value(key) { return match($0, " " key "=\"[^\"]*\"") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4) : "" }
    function tell() { if (name != "") print (bad ? "bad " : "ok ") name }
    /<testcase / {
      tell()
      name = value("name")
      if (value("classname") != name) name = value("classname") "." name
      bad = /status="(fail|disabled|notrun)"/ || /result="(skipped|suppressed)"/
    }
    /<failure/ { bad = 1 }
    END { tell() }' "$1"
}

# cases_of_programs REPORT FOLDER: the same for programs of many tests, each with a report of its own in FOLDER. One that
# failed though all its tests passed (a leak found at its end), or that left no report, is a bad test more.
cases_of_programs() {
  local verdict program
  while read -r verdict program; do
    [ ! -s "$2/$program.xml" ] || cases "$2/$program.xml"
    [ "$verdict" = ok ] && [ -s "$2/$program.xml" ] ||
      [ -n "$(cases "$2/$program.xml" 2>/dev/null | sed -n '/^bad /p')" ] || echo "bad $program"
  done < <(cases "$1")
}

# key_of_mysql_tests FOLDER: changes with the test programs, with what they run, and with the packages of the build root.
key_of_mysql_tests() {
  local programs versions
  programs="$(hash_of "$1"/tests/*/*mysql_test "$1/sidecar/baton-sidecar" "$1/sidecar/baton-gate" "$1/sidecar/tools/baton-binlog" \
    "$REPO/tests/env/root.sh")" || return 1
  versions="$(root_versions)" || return 1
  echo "mysql-$programs-$versions"
}

# run_ctest VARIANT LABEL [EXCEPT]: builds the tests of a label and counts each, but those that match EXCEPT.
run_ctest() {
  local variant="$1" label="$2" dir key="" begin=$SECONDS good=0 bad=0 verdict name
  say "building $label tests, $variant (from an empty cache several minutes)"
  if ! dir="$("$REPO/tests/env/build.sh" "$variant" "${label}_tests")"; then
    count "build of $label tests ($variant)" 1
    return 0
  fi
  if [ "$label" = mysql ]; then
    key="$(key_of_mysql_tests "$dir")" || key=""
    if has_passed "$key"; then
      good="$(cat "$CACHE/passed/$key")"
      passed=$((passed + good))
      say "$label tests, $variant: $good passed before with these very programs"
      return 0
    fi
  fi
  local report="$dir/$label.xml" reports="$dir/reports-$label" settings=() status=0
  rm -rf "$report" "$reports"
  [ "$label" = mysql ] || settings=(GTEST_OUTPUT="xml:$reports/" GTEST_BRIEF=1 GTEST_FILTER="-${3:-}")
  in_root env LSAN_OPTIONS="suppressions=$REPO/tests/env/lsan.supp" TSAN_OPTIONS="suppressions=$REPO/tests/env/tsan.supp" \
    BATON_DATA_TEMPLATE=/tmp/baton-data ${settings[@]+"${settings[@]}"} \
    ctest --test-dir "$dir" --label-regex "^$label\$" --output-on-failure --parallel 2 \
    --output-junit "$report" >"$RESULTS/ctest.log" 2>&1 || status=$?
  [ "$status" = 0 ] || { grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$RESULTS/ctest.log" | tail -n 200 >&2; } || true
  while read -r verdict name; do
    if [ "$verdict" = ok ]; then good=$((good + 1)); else bad=$((bad + 1)); failures+=("$variant: $name$(failure_of "$RESULTS/ctest.log" "$name")"); fi
  done < <(if [ "$label" = mysql ]; then cases "$report"; else cases_of_programs "$report" "$reports"; fi)
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" != 0 ]; then
    status=1
  elif [ "$status" != 0 ] || [ "$good" = 0 ]; then
    status=1
    count "$label tests ($variant): CTest ended early, after $good" 1 "$(last_line_of "$RESULTS/ctest.log")"
  fi
  # What was built anew meanwhile has not passed as a whole.
  { [ "$status" = 0 ] && [ -n "$key" ] && [ "$(key_of_mysql_tests "$dir")" != "$key" ]; } || remember "$key" "$status" "$good"
  say "$label tests, $variant: $good passed, $bad failed ($((SECONDS - begin)) s)"
}

# Whole worlds, a failover at every point of them: too many for sanitizers, and the engine has neither threads nor bytes.
# It has no clock and no chance either: what passed once passes with every run of the same program over
# the same transcripts.
exhaustive() {
  local dir key status=0
  dir="$("$REPO/tests/env/build.sh" release engine_test)" || return 1
  key="worlds-$(hash_of "$dir/tests/engine/engine_test" "$REPO"/tests/golden/scenarios/*.txt)"
  if has_passed "$key"; then
    echo "this very program has passed these transcripts before"
    return 0
  fi
  # One worker a core; each takes every other test.
  printf '%s\n' 0 1 | in_root xargs -P 2 -I{} env GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX={} \
    "$dir/tests/engine/engine_test" --gtest_brief=1 --gtest_filter='Exhaustive.*:*/Interruption.*' || status=1
  remember "$key" "$status"
  return "$status"
}

group_unit() {
  group_sanitizers
  group_checks
}
group_sanitizers() {
  run_ctest asan unit 'Exhaustive.*:*/Interruption.*'
  run_ctest tsan threaded
}
group_checks() {
  check "repository rules" bash "$REPO/tests/tidy/rules.sh"
  check "every one and two faults at every point of a failover (3 minutes, once)" exhaustive
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
  # One that has run since it was empty has forgotten nothing, and cannot say so.
  "$REPO/e2e/cluster/cluster.sh" restart-apiserver
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

# run_scenarios LANES KEY FILE…: so many at once; each waits more than it works, and has a namespace of its own.
run_scenarios() {
  local lanes="$1" key="$2" scenario name status
  local -A keys=()
  shift 2
  [ $# -gt 0 ] || return 0
  export -f run_scenario say
  export RESULTS
  # Before they run: what is edited meanwhile has not passed.
  for scenario in "$@"; do keys["$scenario"]="$(basename "$scenario" .sh)-$(hash_of "$scenario")-$key"; done
  # shellcheck disable=SC2016
  printf '%s\n' "$@" | xargs -P "$lanes" -I{} bash -c 'run_scenario "$1"' run_scenario {}
  for scenario in "$@"; do
    name="$(basename "$scenario" .sh)"
    status="$(cat "$RESULTS/$name.status" 2>/dev/null || echo 1)"
    count "e2e $name" "$status" "$(last_line_of "$RESULTS/$name.log" "\] FAIL: ")"
    remember "${keys["$scenario"]}" "$status"
  done
}

# key_of_e2e: changes with the programs, with what installs and runs them, and with the packages of the build root.
key_of_e2e() {
  local dir files programs versions
  dir="$("$REPO/tests/env/build.sh" release programs kube_contract_test)" || return 1
  # With their names and modes. Scenario 40 reads the two of tests/.
  files="$(cd "$REPO" && find e2e helm crds ./*/Dockerfile tests/env tests/desired/check_manifests.sh tests/golden/manifests -type f \
    ! -name '*.md' ! -path '*/scenarios/[0-9]*' -printf '%m %p\n' -exec sha256sum {} + | LC_ALL=C sort | hash_of)" || return 1
  programs="$(hash_of "$dir/operator/baton-operator" "$dir/sidecar/baton-sidecar" "$dir/sidecar/baton-gate" \
    "$dir/sidecar/tools/baton-binlog" "$dir/e2e/ledger/baton-ledger" "$dir/tests/kube/kube_contract_test")" || return 1
  versions="$(root_versions)" || return 1
  echo "$files-$programs-$versions"
}

# due_scenarios KEY: those that have not passed with it; of those that are asked for by name, all.
due_scenarios() {
  local scenario name
  for scenario in "$REPO"/e2e/scenarios/[0-9]*.sh; do
    name="$(basename "$scenario" .sh)"
    if [ -n "${SCENARIO:-}" ]; then
      [[ "$name" != *"$SCENARIO"* ]] || echo "$scenario"
    else
      has_passed "$name-$(hash_of "$scenario")-$1" || echo "$scenario"
    fi
  done
}

# tell_passed_before SCENARIO…: counts all but these.
tell_passed_before() {
  local scenario
  for scenario in "$REPO"/e2e/scenarios/[0-9]*.sh; do
    [[ " $* " != *" $scenario "* ]] || continue
    say "pass e2e $(basename "$scenario" .sh) (before, with these very programs and files)"
    count "e2e $(basename "$scenario" .sh)" 0
  done
}

group_e2e() {
  local key scenario before=$failed due=() alone=() together=()
  key="$(key_of_e2e)" || { count "build of the programs" 1; return 0; }
  mapfile -t due < <(due_scenarios "$key")
  if [ -z "${SCENARIO:-}" ]; then
    tell_passed_before ${due[@]+"${due[@]}"}
  elif [ ${#due[@]} = 0 ]; then
    count "e2e: no scenario's name contains '$SCENARIO'" 1
    return 0
  fi
  if [ ${#due[@]} = 0 ] && has_passed "contract-$key"; then
    say "pass contract with the API server (before, with these very programs and files)"
    count "contract with the API server" 0
    return 0
  fi
  for scenario in ${due[@]+"${due[@]}"}; do
    if grep -q '^# Runs alone' "$scenario"; then alone+=("$scenario"); else together+=("$scenario"); fi
  done
  check "cluster, images, operator" bash "$REPO/e2e/up.sh"
  [ "$failed" = "$before" ] || { say "the testbed is not up: no scenario can run"; return 0; }
  if [ -z "${SCENARIO:-}" ]; then
    check "contract with the API server" contract
    remember "contract-$key" $((failed - before))
  fi
  run_scenarios 2 "$key" ${together[@]+"${together[@]}"}
  run_scenarios 1 "$key" ${alone[@]+"${alone[@]}"}
  [ -n "${KEEP:-}" ] || bash "$REPO/e2e/cluster/cluster.sh" down || count "removing the testbed" 1
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
  local key
  say "building the programs (from an empty cache five minutes)"
  "$REPO/tests/env/build.sh" release programs >/dev/null || true # The lanes say what is wrong.
  say "four lanes: sanitizers, and checks with fuzz, at once; when the testbed is up (from an empty cache a quarter of an hour), e2e and mysql"
  # The longest way goes first: compiling what e2e needs, then waiting with it. What merely computes takes what is left, in
  # two lanes, since not every part of it knows what to do with two processors.
  # What runs servers has limits of time, and is not started beside compilers of Kubernetes.
  lane 10 sanitizers sanitizers
  lane 10 checks checks fuzz
  key="$(key_of_e2e)" || key=""
  if [ -n "$(due_scenarios "$key")" ] || ! has_passed "contract-$key"; then
    { bash "$REPO/e2e/up.sh" 2>&1 || true; } | sed -u 's/^/testbed: /' >&2
  fi
  lane 0 e2e e2e
  lane 0 mysql mysql
  wait "${LANES[@]}" || true
  LANES=()
  lane_end sanitizers
  lane_end checks
  lane_end mysql
  lane_end e2e
}

groups=()
for word in "$@"; do
  case "$word" in
    unit | sanitizers | checks | fuzz | mysql | e2e | tidy) groups+=("$word") ;;
    bench) shift; exec bash "$REPO/tests/bench/run.sh" "$@" ;;
    *) die "unknown group '$word'; one of: unit (sanitizers checks) fuzz mysql e2e tidy bench" ;;
  esac
done

began="with what the cache held"
[ -e "$ROOT/.complete" ] || began="from an empty cache"
ensure_root
[ ${#groups[@]} -gt 0 ] || all_groups
for group in ${groups[@]+"${groups[@]}"}; do
  begin=$SECONDS
  say "== $group"
  "group_$group"
  say "== $group took $((SECONDS - begin)) s"
done
for name in ${failures[@]+"${failures[@]}"}; do say "failed: $name"; done
say "all of it took $SECONDS s, $began"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
