#!/usr/bin/env bash
# clang-tidy over every source file of the programs; with the word all, of the tests too. What is compiled at once is
# looked at once, and not again while its files, their headers of ours and the settings are as they were when it passed;
# from an empty cache about four minutes.
# Left out: files that include cpprestsdk, whose headers clang 21 does not take as C++23.
source "$(dirname "${BASH_SOURCE[0]}")/../env/root.sh"

which="${1:-programs}"
targets=(programs)
[ "$which" != all ] || targets=(all benches)
build="$("$REPO/tests/env/build.sh" release "${targets[@]}")"
seen="$CACHE/tidy"
mkdir -p "$seen"
settings="$(cat "$REPO/.clang-tidy" <(root_versions) | sha256sum | cut -c1-16)"

# One line for each thing that is compiled, a file or several at once: the hash of all files of ours in it, and its path.
list_units() {
  # Paths are relative to the build folder where ccache had a hand in it.
  in_root ninja -C "$build" -t deps | awk -v repo="$REPO/" -v source="$SOURCE/" -v which="$which" \
    -v relative="$(realpath -m --relative-to="$build" "$SOURCE")/" '
    function end() { if (line != "") print line; line = "" }
    /^[^ ].*: #deps/ { end(); wanted = $1 ~ /\.(cc|cxx)\.o:$/ && (which == "all" || $0 !~ /^tests\//); first = 1 }
    /^    / && wanted {
      sub(/^ +/, "")
      if (index($0, relative) == 1) $0 = source substr($0, length(relative) + 1)
      if (index($0, repo) == 1) $0 = source substr($0, length(repo) + 1)
      if (first) line = $0
      if (index($0, source) == 1) line = line " " repo substr($0, length(source) + 1)
      first = 0 }
    END { end() }' | sort -u | while read -r unit files; do
    [[ "$unit" != "$SOURCE"/* || -e "$REPO/${unit#"$SOURCE"/}" ]] || continue # The build remembers what is gone.
    # shellcheck disable=SC2086
    grep -q '#include <cpprest/' $files 2>/dev/null && continue
    # shellcheck disable=SC2086
    printf '%s %s\n' "$(cat $files 2>/dev/null | sha256sum | cut -c1-32)" "$unit"
  done
}

units="$(list_units)"
[ -n "$units" ] || die "clang-tidy: the build knows no file of $REPO"
todo="$(while read -r hash unit; do
  [ -e "$seen/$settings-$hash" ] || printf '%s %s\n' "$hash" "$unit"
done <<<"$units")"
[ -n "$todo" ] || { say "clang-tidy: all $(wc -l <<<"$units") pieces passed before"; exit 0; }
say "clang-tidy: $(wc -l <<<"$todo") of $(wc -l <<<"$units") pieces to look at"
# shellcheck disable=SC2016
printf '%s\n' "$todo" | in_root xargs -P "$(nproc)" -L 1 bash -c '
  build="$1" seen="$2" settings="$3" hash="$4" unit="$5"
  if clang-tidy -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-error "$unit" 2>/dev/null >"/tmp/tidy.$$"; then
    touch "$seen/$settings-$hash"
  else
    cat "/tmp/tidy.$$"
    exit 1
  fi' tidy "$build" "$seen" "$settings"
