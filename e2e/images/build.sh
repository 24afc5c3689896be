#!/usr/bin/env bash
# Builds the testbed's images with buildah and imports them into every running node.
#   build.sh [NAME…]     of: testbed mysql operator sidecar ledger; all of them without a name
# An image that is up to date costs nothing: its archive is named by the hash of what goes into it.
# PREBUILT=DIR takes baton-operator, baton-sidecar, baton-gate and baton-binlog from that folder instead of building them.
source "$(dirname "${BASH_SOURCE[0]}")/../cluster/nodes.sh"

[ -z "${PREBUILT:-}" ] || PREBUILT="$(realpath "$PREBUILT")"
cd "$REPO" || exit # The build root has this folder, whatever the caller's is.

IMAGES_DIR="$REPO/e2e/images"
ARCHIVES="$CACHE/images"
WORK="$ARCHIVES/work"

declare -A TAG=([testbed]=docker.io/local/testbed:dev [mysql]=docker.io/local/mysql:9.7
  [operator]=docker.io/local/baton-operator:dev [sidecar]=docker.io/local/baton-sidecar:dev [ledger]=docker.io/local/baton-ledger:dev)

# Images of its own, apart from those of the person at the keyboard. No registry is ever asked.
in_buildah() {
  local command="$1" policy=()
  shift
  case "$command" in bud | commit | from | push) policy=(--signature-policy "$ARCHIVES/policy.json") ;; esac
  buildah --root "$ARCHIVES/storage" --runroot "$ARCHIVES/run" --storage-driver vfs "$command" "${policy[@]}" "$@"
}

# ensure_base: debian:sid, from the mirror that this machine uses; made anew whenever the build root is.
ensure_base() {
  local tar container
  tar="$ARCHIVES/debian-sid-$(root_versions).tar"
  [ -e "$tar.imported" ] && return 0
  need_packages mmdebstrap=mmdebstrap
  say "making the base image debian:sid (about 15 s)"
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
    --include=ca-certificates sid "$tar" "$(host_mirror)" >&2
  container="$(in_buildah from scratch)"
  in_buildah add --quiet "$container" "$tar" / >/dev/null
  in_buildah commit --quiet --rm "$container" docker.io/library/debian:sid >/dev/null
  rm -f "$tar"
  touch "$tar.imported"
}

# tree_hash PATH…: changes when any file's name, mode or content does.
tree_hash() {
  find "$@" -printf '%P %m %y %l\n' -type f -exec sha256sum {} + | sed "s|$WORK||" | sort | sha256sum | cut -c1-16
}

# Each context_NAME fills a folder with what the image is made of.
context_testbed() {
  local tool
  in_root gcc -static -Os -o "$1/pause" "$IMAGES_DIR/testbed/pause.c"
  cp "$(bin_of coredns)" "$(bin_of local-path-provisioner)" "$1/"
  mkdir "$1/bin"
  cp "$ROOT/usr/bin/busybox" "$1/bin/"
  for tool in sh mkdir rm ls cat nslookup wget; do
    ln -s busybox "$1/bin/$tool"
  done
}

context_mysql() { :; }

context_operator() { bundle "$1/prebuilt" operator/baton-operator; }
context_sidecar() { bundle "$1/prebuilt" sidecar/baton-sidecar sidecar/baton-gate sidecar/tools/baton-binlog; }
context_ledger() { bundle "$1/prebuilt" e2e/ledger/baton-ledger; }

# bundle FOLDER PROGRAM…: builds the programs, paths within the build folder, and collects what they need to run.
bundle() {
  local out="$1" build program programs=()
  shift
  if [ -n "${PREBUILT:-}" ]; then
    # Copied into the cache, which the build root sees.
    mkdir -p "$WORK/programs"
    for program in "$@"; do
      cp "$PREBUILT/$(basename "$program")" "$WORK/programs/"
      programs+=("$WORK/programs/$(basename "$program")")
    done
  else
    build="$("$REPO/tests/env/build.sh" release "${@##*/}")"
    programs=("${@/#/$build/}")
  fi
  in_root "$IMAGES_DIR/bundle.sh" "$out" "${programs[@]}"
}

dockerfile_of() {
  case "$1" in
    operator | sidecar) echo "$REPO/$1/Dockerfile" ;;
    ledger) echo "$REPO/e2e/ledger/Dockerfile" ;;
    *) echo "$IMAGES_DIR/$1/Dockerfile" ;;
  esac
}

# build_image NAME: prints the path of its archive.
build_image() {
  local name="$1" context="$WORK/$1" key archive
  rm -rf "$context"
  mkdir -p "$context"
  "context_$name" "$context"
  cp "$(dockerfile_of "$name")" "$context/Dockerfile"
  key="$(tree_hash "$context")"
  # What apt installs follows the base image.
  [ "$name" != mysql ] || key="$(printf '%s %s' "$key" "$(root_versions)" | sha256sum | cut -c1-16)"
  archive="$ARCHIVES/$name-$key.tar"
  if [ ! -e "$archive" ]; then
    say "building the image ${TAG[$name]} ($([ "$name" = mysql ] && echo "about two minutes" || echo "a few seconds"), once)"
    [ "$name" = testbed ] || ensure_base
    in_buildah bud --quiet --isolation chroot --pull-never --build-arg BUILD=prebuilt \
      --tag "${TAG[$name]}" "$context" >"$ARCHIVES/$name.log" 2>&1 ||
      { cat "$ARCHIVES/$name.log" >&2; die "no image ${TAG[$name]}"; }
    rm -f "$archive.new"
    in_buildah push --quiet "${TAG[$name]}" "docker-archive:$archive.new:${TAG[$name]}" >&2
    find "$ARCHIVES" -maxdepth 1 -name "$name-*.tar" -delete
    mv "$archive.new" "$archive"
    in_buildah rmi --prune --force >/dev/null 2>&1 || true
  fi
  rm -rf "$context"
  echo "$archive"
}

# import_image NAME ARCHIVE: into every node that lacks exactly this one, all nodes at once.
import_image() {
  local name="$1" archive="$2" node job jobs=()
  for node in $(node_list); do
    node_alive "$node" || continue
    [ ! -e "$STATE/$node/images/$(basename "$archive" .tar)" ] || continue
    say "importing ${TAG[$name]} into $node"
    import_into "$node" "$name" "$archive" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || die "importing ${TAG[$name]} failed"
  done
}

import_into() {
  local node="$1" name="$2" archive="$3" log
  log="$STATE/$node/log/import.log"
  # The inner shell expands these.
  # shellcheck disable=SC2016
  node_exec "$node" sh -c 'for i in $(seq 300); do [ ! -e /run/testbed/containerd.ready ] || break; sleep 0.1; done
    exec ctr -n k8s.io images import -' <"$archive" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
  mkdir -p "$STATE/$node/images"
  rm -f "$STATE/$node/images/$name-"*
  touch "$STATE/$node/images/$(basename "$archive" .tar)"
}

[ $# -gt 0 ] || set -- testbed mysql operator sidecar ledger
need_packages buildah=buildah
mkdir -p "$ARCHIVES" "$WORK"
exec {image_lock}>"$ARCHIVES/lock"
flock -n "$image_lock" || { say "waiting for another image build to end"; flock "$image_lock"; }
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$ARCHIVES/policy.json"
for name in "$@"; do
  [ -n "${TAG[$name]:-}" ] || die "no image '$name'; one of: ${!TAG[*]}"
  archive="$(build_image "$name")"
  import_image "$name" "$archive"
done
