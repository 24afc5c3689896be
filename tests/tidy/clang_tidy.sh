#!/usr/bin/env bash
# clang-tidy over every source file of the programs; with the word all, of the tests too. A file whose own text, headers
# of ours and settings are unchanged since it last passed is not looked at again; from an empty cache about ten minutes.
# Left out: files that include cpprestsdk, whose headers clang 21 does not take as C++23.
source "$(dirname "${BASH_SOURCE[0]}")/../env/root.sh"

which="${1:-programs}"
targets=(programs)
[ "$which" != all ] || targets=(all benches)
build="$("$REPO/tests/env/build.sh" release "${targets[@]}")"
seen="$CACHE/tidy"
mkdir -p "$seen"
settings="$(cat "$REPO/.clang-tidy" <(basename "$ROOT") | sha256sum | cut -c1-16)"

# One line a file: its hash with all headers of ours that it was built from, and its path.
list_files() {
  # Paths are relative to the build folder where ccache had a hand in it.
  in_root ninja -C "$build" -t deps | awk -v repo="$REPO/" -v source="$SOURCE/" -v relative="$(realpath -m --relative-to="$build" "$SOURCE")/" '
    /^[^ ].*: #deps/ { if (line != "") print line; line = "" }
    /^    / { sub(/^ +/, ""); if (index($0, relative) == 1) $0 = repo substr($0, length(relative) + 1)
              if (index($0, source) == 1) $0 = repo substr($0, length(source) + 1)
              if (index($0, repo) == 1) line = line (line == "" ? "" : " ") $0 }
    END { if (line != "") print line }' | sort -u | while read -r source headers; do
    [ -e "$source" ] || continue # The build remembers what is gone.
    grep -q 'cpprest/' "$source" && continue
    [[ "$which" = all || "$source" != "$REPO"/tests/* ]] || continue
    # shellcheck disable=SC2086
    printf '%s %s\n' "$(cat "$source" $headers 2>/dev/null | sha256sum | cut -c1-32)" "$source"
  done
}

files="$(list_files)"
[ -n "$files" ] || die "clang-tidy: the build knows no file of $REPO"
todo="$(while read -r hash source; do
  # The compiler was told the path that the root sees.
  [ -e "$seen/$settings-$hash" ] || printf '%s %s\n' "$hash" "$SOURCE/${source#"$REPO"/}"
done <<<"$files")"
[ -n "$todo" ] || { say "clang-tidy: $(wc -l <<<"$files") files, nothing changed"; exit 0; }
say "clang-tidy: $(wc -l <<<"$todo") of $(wc -l <<<"$files") files to look at"
# shellcheck disable=SC2016
printf '%s\n' "$todo" | in_root xargs -P "$(nproc)" -L 1 bash -c '
  build="$1" seen="$2" settings="$3" hash="$4" source="$5"
  if clang-tidy -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-error "$source" 2>/dev/null >"/tmp/tidy.$$"; then
    touch "$seen/$settings-$hash"
  else
    cat "/tmp/tidy.$$"
    exit 1
  fi' tidy "$build" "$seen" "$settings"
