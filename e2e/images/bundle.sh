#!/bin/sh
# bundle.sh FOLDER PROGRAM…: makes a root file system for an image: the programs, stripped, in usr/bin, the shared
# libraries that they load and the loader, at the paths where they lie here. No shell and no package manager come along.
set -eu
out="$1"
shift
mkdir -p "$out/usr/bin" "$out/etc" "$out/tmp"
chmod 1777 "$out/tmp"
for program in "$@"; do
  strip -o "$out/usr/bin/$(basename "$program")" "$program"
  # "statically linked" and "not a dynamic executable" have no path.
  { ldd "$program" 2>/dev/null || true; } | sed -nE 's|.*[[:space:]](/[^[:space:]]+) \(0x.*|\1|p' >>"$out/libraries"
done
missing="$(for program in "$@"; do ldd "$program" 2>/dev/null | grep 'not found' || true; done)"
[ -z "$missing" ] || { echo "libraries are missing: $missing" >&2; exit 1; }
sort -u "$out/libraries" | while read -r library; do
  mkdir -p "$out$(dirname "$library")"
  cp -L "$library" "$out$library"
done
rm -f "$out/libraries"
cat >"$out/etc/passwd" <<EOF
root:x:0:0:root:/:/nonexistent
mysql:x:999:999:mysql:/:/nonexistent
nonroot:x:65532:65532:nonroot:/:/nonexistent
EOF
