#!/usr/bin/env bash
# The repository's own rules, checked on its text: what each layer may include, calls that are banned, sizes, stray files.
source "$(dirname "${BASH_SOURCE[0]}")/../env/common.sh"
cd "$REPO" || exit

# One line for each broken rule: rule runs at the end of a pipe, in a shell of its own.
broken="$(mktemp)"
trap 'rm -f "$broken"' EXIT
# rule SENTENCE: standard input are offending lines; none means that the rule holds.
rule() {
  local lines
  lines="$(cat)"
  [ -n "$lines" ] || return 0
  printf '%s\n%s\n' "rule broken: $1" "$lines"
  echo "$1" >>"$broken"
}

mapfile -t sources < <(find engine operator sidecar e2e/ledger -name '*.h' -o -name '*.cc' | sort)
mapfile -t tests < <(find tests -name '*.h' -o -name '*.cc' | sort)
[ "${#sources[@]}" -gt 20 ] || die "found only ${#sources[@]} source files: the rules would check nothing"

# Layers.
find engine -name '*.h' -o -name '*.cc' | xargs grep -nE '#include ("(operator|sidecar|tests)/|<(mysql|nlohmann|cpprest|spdlog|openssl|boost|yaml-cpp|prometheus|sys/|unistd|thread|mutex|condition_variable|fstream|iostream|cstdio))' |
  rule "engine/ includes the standard library and itself alone, and nothing that runs, waits or prints" || true
find engine -name '*.h' -o -name '*.cc' | xargs grep -nE '(system|steady|high_resolution)_clock|std::(cout|cerr|print|getenv|random_device|jthread|thread|async)\b' |
  rule "engine/ has no clock, no thread, no log" || true
find sidecar -name '*.h' -o -name '*.cc' | xargs grep -nE '#include "engine/(model|decide|plan|diagnose)/' |
  rule "sidecar/ uses engine/base and engine/gtid only" || true
find sidecar -name '*.h' -o -name '*.cc' | xargs grep -nE '#include "operator/' | grep -v '"operator/base/' |
  rule "sidecar/ uses operator/base only" || true
find operator -name '*.h' -o -name '*.cc' | xargs grep -nE '#include "sidecar/' | grep -vE '"sidecar/(wire/|mysql/pinned)' |
  rule "operator/ uses sidecar/wire and the table of pinned settings only" || true
grep -lE '#include <mysql\.h>' "${sources[@]}" | grep -vE '^(sidecar/mysql/mysql_(session|library)\.cc|e2e/ledger/main\.cc)$' |
  rule "only the MySQL session includes <mysql.h>" || true
grep -lE '#include <cpprest/' "${sources[@]}" | grep -v '^operator/base/http' |
  rule "cpprestsdk stays behind operator/base/http*" || true

# Banned calls.
grep -nE '\b(sleep_for|sleep_until|usleep|nanosleep)\b|\bsleep\(' "${sources[@]}" "${tests[@]}" |
  rule "nothing sleeps for a fixed time: wait for a condition with a bound" || true
grep -nE 'system_clock::now' "${sources[@]}" | grep -vE '^(operator/base/clock\.cc|e2e/ledger/)' |
  rule "the time of day is read in operator/base/clock.cc alone" || true
grep -nE '\b(rand|srand|strcpy|strcat|sprintf|gets)\(' "${sources[@]}" | rule "banned C functions" || true
grep -nE '(^|[^_[:alnum:]])new [A-Z_a-z:]+[({]' "${sources[@]}" | grep -vE '^[^:]*:[0-9]+: *(//|\*)|"[^"]*new [^"]*"|//.*new |unique_ptr<' |
  rule "no raw new (a private constructor may be called inside std::unique_ptr<T>(…))" || true

# Sizes.
LC_ALL=C.UTF-8 grep -nE '^.{121,}' "${sources[@]}" "${tests[@]}" |
  rule "lines have at most 120 columns" || true
wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }' | rule "a file has at most 600 lines" || true

# The tree.
for entry in *; do
  case "$entry" in
    CMakeLists.txt | operator | crds | helm | engine | sidecar | tests | e2e | README.md | LICENSE) ;;
    *) echo "$entry" ;;
  esac
done | rule "the top level holds a fixed list of names" || true
for readme in README.md */README.md; do
  { grep -oE '`(engine|operator|sidecar|tests|e2e|crds|helm)/[A-Za-z0-9_./-]+`' "$readme" || true; } | tr -d '`' | sort -u | while read -r path; do
    [ -e "$path" ] || compgen -G "$path*" >/dev/null || echo "$readme names $path"
  done
done | rule "READMEs name files that exist" || true
grep -rnIE '(^|[^/])\.\./shared|/work/' --include='*' . --exclude-dir=.git --exclude=rules.sh | rule "nothing names paths outside the repository" || true

[ ! -s "$broken" ] || { echo "$(wc -l <"$broken") rules broken"; exit 1; }
echo "all rules hold over ${#sources[@]} source and ${#tests[@]} test files"
