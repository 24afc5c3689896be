# Shared by every script of this repository: where the cache lies, and how progress is told.
# To be sourced, not run.

set -euo pipefail

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# All that is built or fetched and outlives a checkout. Safe to delete while nothing of ours runs.
CACHE="${BATON_CACHE:-/var/cache/baton}"

# One line of progress on standard error, with seconds since the script began.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

# Ends the script with a sentence that a person can act on.
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need_packages PROGRAM=PACKAGE…: installs, on this Debian machine, the packages of the programs that are missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || [ -e "${pair%%=*}" ] || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "packages are missing (${missing[*]}); run this as root, or install them"
  say "installing on this machine: ${missing[*]} (about 20 s)"
  apt-get update -qq >&2 || say "apt-get update reported errors; going on with what it has"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# hash_of FILE…: sixteen hex digits that change when any of the files does.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
