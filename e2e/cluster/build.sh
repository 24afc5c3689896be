#!/usr/bin/env bash
# Builds Kubernetes, Helm, CoreDNS and the local-path provisioner from the Go modules pinned in modules/, inside the
# build root. Each module's binaries are kept in the cache under the hash of its go.mod, its go.sum and the compiler,
# so this costs nothing when nothing changed. Prints nothing; the binaries are found with bin_of (paths.sh).
# Usage: build.sh [MODULE…]; without one, all.
source "$(dirname "${BASH_SOURCE[0]}")/paths.sh"
cd "$REPO" || exit # The build root has this folder, whatever the caller's is.

# What a first build takes on two cores.
usual() {
  case "$1" in
    kubernetes) echo "about 7 minutes" ;;
    *) echo "half a minute after Kubernetes" ;;
  esac
}

# The linker flags of a module. Kubernetes calls itself v0.0.0 unless told its version, and clients believe it.
ldflags() {
  local flags="-s -w" package="k8s.io/component-base/version" version
  if [ "$1" = kubernetes ]; then
    version="$(sed -nE 's/^(require)?[[:space:]]*k8s.io\/kubernetes (v[0-9.]+).*/\2/p' "$MODULES/$1/go.mod" | head -1)"
    IFS=. read -r major minor _ <<<"${version#v}"
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  fi
  echo "$flags"
}

# A module has a main of its own, or names the tools that it builds. The workspace (modules/go.work) gives all of them
# the same versions of what they share, so that the client of Kubernetes is compiled once and not four times. Debugging
# information and inlining are left out: they are two fifths of the compiling. The compiler has memory enough to look for
# garbage less often.
build_module() {
  local module="$1" out begin=$SECONDS
  out="$(module_bin "$module")"
  [ -e "$out/.complete" ] && return 0
  say "building $module from its Go module ($(usual "$module") on two cores, once)"
  rm -rf "$out.new"
  mkdir -p "$out.new"
  # The inner shell expands these.
  # shellcheck disable=SC2016
  in_root env CGO_ENABLED=0 GOGC=400 bash -euc 'cd "$1"
    mapfile -t packages < <(if [ -e main.go ]; then echo .; else GOWORK=off go list tool; fi)
    go build -mod=readonly -trimpath -gcflags "all=-dwarf=false -l" -ldflags "$2" -o "$3/" "${packages[@]}"' \
    build "$MODULES/$module" "$(ldflags "$module")" "$out.new" >&2
  touch "$out.new/.complete"
  rm -rf "$out"
  mv "$out.new" "$out"
  say "built $module in $((SECONDS - begin)) s"
}

ensure_root
mkdir -p "$CACHE/bin"
exec {go_lock}>"$CACHE/bin/build.lock"
flock -n "$go_lock" || { say "waiting for another build of the cluster's binaries to end"; flock "$go_lock"; }
[ $# -gt 0 ] || set -- kubernetes coredns local-path-provisioner helm
for module in "$@"; do
  build_module "$module"
done

# The sid root's kubectl, run with the sid root's C library, so that the host's age does not matter.
mkdir -p "$TOOLS"
cat >"$TOOLS/kubectl.new" <<EOF
#!/bin/sh
exec "$ROOT/lib64/ld-linux-x86-64.so.2" --library-path "$ROOT/usr/lib/x86_64-linux-gnu" "$ROOT/usr/bin/kubectl" "\$@"
EOF
chmod +x "$TOOLS/kubectl.new"
mv "$TOOLS/kubectl.new" "$TOOLS/kubectl"
ln -sfn "$(bin_of helm)" "$TOOLS/helm"
