#!/usr/bin/env bash
# Configures and builds in the build root. Usage: build.sh VARIANT [TARGET…], VARIANT: release | asan | tsan | fuzz.
# The build folder lies in the cache; it takes one build at a time.
source "$(dirname "${BASH_SOURCE[0]}")/root.sh"

variant="${1:?usage: build.sh VARIANT [TARGET…]}"
shift
case "$variant" in
  release) options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo) ;;
  # Unoptimised, but for what computes (CMakeLists.txt): compiling is what takes the time, and it takes half of it.
  asan) options=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -DBATON_ASAN=ON) ;;
  tsan) options=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -DBATON_TSAN=ON) ;;
  fuzz) options=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" -DBATON_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++) ;;
  *) die "unknown variant '$variant'; one of: release asan tsan fuzz" ;;
esac

# Headers and templates are most of what is compiled: eight files at once share them, and take a third of the time.
options+=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=8)

# Each checkout has a folder of its own, and each set of options; what they compile alike is compiled once.
build_dir="$CACHE/build/$(printf '%s' "$REPO $SOURCE $ROOT ${options[*]}" | sha256sum | cut -c1-8)-$variant"
mkdir -p "$build_dir"
targets=()
[ $# -eq 0 ] || targets=(--target "$@")
exec {build_lock}>"$build_dir.lock"
flock -n "$build_lock" || { say "waiting for another build to end"; flock "$build_lock"; }
in_root bash -euc 'source="$1" dir="$2" options="$3"; shift 3
  eval "options=($options)"
  # DEPEND: a file that is not in the cache is not preprocessed on its own first, a fifth of the time.
  export CCACHE_BASEDIR="$source" CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
  [ -e "$dir/build.ninja" ] || cmake -S "$source" -B "$dir" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "${options[@]}" >"$dir.log" 2>&1 || { cat "$dir.log"; exit 1; }
  cmake --build "$dir" "$@"' build "$SOURCE" "$build_dir" "${options[*]@Q}" "${targets[@]}" >&2
printf '%s\n' "$build_dir"
