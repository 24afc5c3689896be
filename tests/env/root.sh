# The build root: a Debian sid folder with compilers, libraries, a real MySQL server and Kubernetes' own parts.
# Everything is built and run in it, so that nothing is asked of the host but a few small tools.
# To be sourced. Gives: ensure_root, in_root, root_versions, SOURCE.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Where the root sees this repository, wherever it lies: compilers get the same paths, and ccache the same answers.
SOURCE=/src

# Named by what is in it. Raise the number when it is made differently from the same packages.
ROOT="$CACHE/root-1-$(hash_of "$REPO/tests/env/packages.txt")"

# root_versions: a word that changes with any package of the root and its version, for the keys of what is made with them.
root_versions() { hash_of "$ROOT/var/lib/dpkg/status"; }

# The mirror that this machine's own apt uses; sid is taken from there.
host_mirror() {
  local mirror
  mirror="$(sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 -E '/debian/?$' || true)"
  echo "${mirror:-http://deb.debian.org/debian}"
}

# Makes the root once. A half-made one is never used: it gets its name when it is complete.
ensure_root() {
  [ -e "$ROOT/.complete" ] && return 0
  need_packages mmdebstrap=mmdebstrap unshare=util-linux
  mkdir -p "$CACHE"
  exec {root_lock}>"$CACHE/root.lock"
  flock "$root_lock"
  if [ ! -e "$ROOT/.complete" ]; then
    say "making the build root (about 2 minutes, 3 GB in $CACHE)"
    rm -rf "$ROOT.new"
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
      --include="$(grep -v '^#' "$REPO/tests/env/packages.txt" | paste -sd,)" sid "$ROOT.new" "$(host_mirror)" >&2
    rm -rf "$ROOT.new"/var/cache/apt/archives/*.deb "$ROOT.new"/usr/share/doc/*
    # Go and apt inside the root verify TLS with what this machine trusts.
    cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$ROOT.new/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
    touch "$ROOT.new/.complete"
    mv "$ROOT.new" "$ROOT"
    say "build root ready"
  fi
  flock -u "$root_lock"
}

# in_root COMMAND…: runs a command in the root, in a mount namespace of its own (nothing to undo afterwards), with the
# repository and the cache at the paths that they have outside, and the repository at $SOURCE too.
in_root() {
  ensure_root
  # $1 and "$@" belong to the inner shell.
  # shellcheck disable=SC2016
  REPO="$REPO" CACHE="$CACHE" ROOT="$ROOT" SOURCE="$SOURCE" WORK="$PWD" unshare --mount --propagation private -- bash -c '
    set -euo pipefail
    mount --rbind /proc "$ROOT/proc"; mount --rbind /dev "$ROOT/dev"; mount --rbind /sys "$ROOT/sys"
    mount -t tmpfs tmpfs "$ROOT/tmp"
    mkdir -p "$ROOT$REPO" "$ROOT$SOURCE" "$ROOT$CACHE"
    mount --rbind "$REPO" "$ROOT$REPO"; mount --rbind "$REPO" "$ROOT$SOURCE"; mount --rbind "$CACHE" "$ROOT$CACHE"
    cp /etc/resolv.conf "$ROOT/etc/resolv.conf" 2>/dev/null || true
    cp /etc/hosts "$ROOT/etc/hosts" 2>/dev/null || true
    [ -d "$ROOT$WORK" ] || WORK="$REPO"
    exec env -u SSL_CERT_DIR SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
      HOME=/root PATH=/usr/lib/go/bin:/usr/lib/llvm-21/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      CCACHE_DIR="$CACHE/ccache" GOPATH="$CACHE/go" GOCACHE="$CACHE/go-build" GOFLAGS=-modcacherw GOTOOLCHAIN=local \
      chroot "$ROOT" bash -c "cd \"$WORK\" && exec \"\$@\"" in_root "$@"' in_root "$@"
}
